//! For those who have time: what comes in quick succession is worked on together, after what is urgent.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How long whoever has time waits for more. Nobody sees it, and a login that is followed by another one, or by its logout, does
/// not stand behind what the first has set in motion.
pub(crate) const MOMENT: Duration = Duration::from_millis(5);

/// Adds what comes in the next moment, until there are `limit` or one of those that are `urgent`. Nothing is lost if the wait is
/// given up.
pub(crate) async fn gather<T>(
    inbox: &mut mpsc::Receiver<T>,
    items: &mut Vec<T>,
    limit: usize,
    urgent: impl Fn(&T) -> bool,
) {
    let until = Instant::now() + MOMENT;
    let mut new = 0;
    while items.len() < limit && !items.iter().skip(new).any(&urgent) {
        new = items.len();
        match timeout_at(until, inbox.recv_many(items, limit - new)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_comes_soon_goes_along_and_what_is_urgent_does_not_wait() {
        let (sender, mut inbox) = mpsc::channel(10);
        let later = sender.clone();
        tokio::spawn(async move {
            for (after, item) in [(Duration::ZERO, 1), (MOMENT / 2, 2), (MOMENT * 2, 3)] {
                tokio::time::sleep(after).await;
                later.send(item).await.unwrap();
            }
        });
        let mut items = vec![0];
        gather(&mut inbox, &mut items, 10, |_| false).await;
        assert_eq!(items, [0, 1, 2]);

        let before = Instant::now();
        let mut items = vec![7];
        gather(&mut inbox, &mut items, 10, |item| *item == 7).await;
        assert!(items == [7] && Instant::now() == before);

        for item in [4, 5] {
            sender.send(item).await.unwrap();
        }
        let mut items = vec![3];
        gather(&mut inbox, &mut items, 2, |_| false).await;
        assert_eq!(items, [3, 4]);
        drop(sender);
        gather(&mut inbox, &mut items, 10, |_| false).await;
        assert_eq!(items[..3], [3, 4, 5]);
    }
}
