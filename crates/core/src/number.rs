//! Conversions between number types that saturate: a value out of range becomes the nearest one in range.
//!
//! A cast with `as` silently drops bits. Counts, sizes, microseconds and screen columns use these functions instead;
//! bit patterns use `cast_signed` and `cast_unsigned` of the standard library.

macro_rules! saturating {
    ($($name:ident -> $to:ident),+ $(,)?) => {$(
        #[doc = concat!("Any integer as `", stringify!($to), "`; out of range, the nearest one.")]
        #[inline]
        pub fn $name<T: TryInto<$to> + PartialOrd + Default>(n: T) -> $to {
            let below = n < T::default();
            n.try_into().unwrap_or(if below { $to::MIN } else { $to::MAX })
        }
    )+};
}

saturating! {
    saturating_u8 -> u8, saturating_u16 -> u16, saturating_u32 -> u32, saturating_u64 -> u64, saturating_usize -> usize,
    saturating_i32 -> i32, saturating_i64 -> i64, saturating_isize -> isize,
}

macro_rules! truncated {
    ($($name:ident -> $to:ident),+ $(,)?) => {$(
        #[doc = concat!("The integer part of a number as `", stringify!($to), "`; out of range, the nearest one. NaN is 0.")]
        #[inline]
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` from a float truncates and saturates, which is what is promised"
        )]
        pub const fn $name(n: f64) -> $to {
            n as $to
        }
    )+};
}

truncated! {
    truncated_u8 -> u8, truncated_u16 -> u16, truncated_u32 -> u32, truncated_u64 -> u64, truncated_usize -> usize,
    truncated_i64 -> i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_wraps() {
        assert_eq!(saturating_u16(70_000usize), u16::MAX);
        assert_eq!(saturating_u16(-1i64), 0);
        assert_eq!(saturating_u16(512u64), 512);
        assert_eq!(saturating_i64(u64::MAX), i64::MAX);
        assert_eq!(saturating_i64(i128::MIN), i64::MIN);
        assert_eq!(saturating_usize(-5), 0);
    }

    #[test]
    fn floats_saturate_and_nan_is_nothing() {
        assert_eq!(truncated_u64(-1.0), 0);
        assert_eq!(truncated_u16(1e9), u16::MAX);
        assert_eq!(truncated_i64(-2.9), -2);
        assert_eq!(truncated_i64(f64::NEG_INFINITY), i64::MIN);
        assert_eq!(truncated_usize(f64::NAN), 0);
    }
}
