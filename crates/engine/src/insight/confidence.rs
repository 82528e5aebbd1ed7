//! What a share says where there are few of a thing.

/// The share of failures that is reached with a confidence of 95 % (lower bound of the interval of E. B. Wilson, Journal of
/// the American Statistical Association 22, 1927): two failures of 37 say little, 200 of 3,700 a lot.
pub fn surely(failed: u64, of: u64) -> f64 {
    const Z: f64 = 1.96;
    if of == 0 {
        return 0.0;
    }
    let (n, share) = (of as f64, failed as f64 / of as f64);
    let middle = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (middle - spread) / (1.0 + Z * Z / n)
}

#[cfg(test)]
mod tests {
    use super::surely;

    #[test]
    fn few_say_little() {
        for (failed, of, percent) in [(0, 0, 0.0), (2, 37, 1.5), (200, 3700, 4.7), (3, 3, 43.8), (1000, 1000, 99.6)] {
            let found = 100.0 * surely(failed, of);
            assert!((found - percent).abs() < 0.1, "{failed} of {of}: {found}");
        }
    }
}
