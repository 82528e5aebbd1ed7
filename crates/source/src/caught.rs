//! A driver that panics over what a server sent costs one call, not the program.
//!
//! Drivers read some messages without looking at their length. What they do then is a panic, which is an error of the
//! server.

use std::any::Any;
use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread would become an error now. What reports panics (`std::panic::set_hook`) says nothing of
/// such a one.
pub fn is_caught() -> bool {
    CAUGHT.get()
}

/// Does work that may panic.
///
/// # Errors
/// The message of the panic.
pub async fn caught<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let mut work = pin!(work);
    poll_fn(|context| {
        let before = CAUGHT.replace(true);
        let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context)));
        CAUGHT.set(before);
        match polled {
            Ok(polled) => polled.map(Ok),
            Err(message) => Poll::Ready(Err(text(message.as_ref()))),
        }
    })
    .await
}

/// Does work that may panic, on this thread: for a thread of its own, where nobody else would notice.
///
/// # Errors
/// The message of the panic.
pub fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CAUGHT.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(before);
    done.map_err(|message| text(message.as_ref()))
}

fn text(message: &(dyn Any + Send)) -> String {
    let text = message.downcast_ref::<&str>().copied();
    text.or_else(|| message.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_with_its_message() {
        let short: &[u8] = &[1];
        let work = async {
            tokio::task::yield_now().await;
            assert!(is_caught());
            short[short.len()]
        };
        let why = caught(work).await.expect_err("it panics");
        assert!(why.contains("index out of bounds"), "{why}");
        assert!(!is_caught());
        assert_eq!(caught(async { 7 }).await, Ok(7));
    }

    #[test]
    fn so_is_one_of_a_thread() {
        let short: &[u8] = &[1];
        let why = caught_now(|| {
            assert!(is_caught());
            short[short.len()]
        });
        assert!(why.as_ref().is_err_and(|why| why.contains("index out of bounds")), "{why:?}");
        assert!(!is_caught());
        assert_eq!(caught_now(|| 7), Ok(7));
    }
}
