//! What was survived, for people.

use std::time::Duration;

use usher_tests::storm::Survived;

use super::storms::Round;

/// What came of one storm.
pub(super) fn print_round(round: &Round) {
    match &round.outcome {
        Ok(survived) => survived.notes.iter().for_each(|note| println!("   {note}")),
        // With the machine's dump.
        Err(error) => println!("   FAILED after {:.0?}, --seed {}: {error:?}", round.took, round.seed),
    }
}

/// The table.
pub(super) fn print(rounds: &[Round], took: Duration, seed: u64) {
    println!(
        "\n{:15} {:>6} {:>7} {:>8} {:>7} {:>6} {:>6} {:>9} {:>9} {:>8} {:>15} {:>13}",
        "survived",
        "time s",
        "logins",
        "without",
        "crashes",
        "stalls",
        "at one",
        "longest",
        "longest",
        "back",
        "PSS KiB",
        "descriptors"
    );
    println!(
        "{:15} {:>6} {:>7} {:>8} {:>7} {:>6} {:>6} {:>9} {:>9} {:>8} {:>15} {:>13}",
        "",
        "",
        "",
        "session",
        "",
        "",
        "time",
        "login ms",
        "logout ms",
        "after ms",
        "before > after",
        "before > after"
    );
    for round in rounds {
        print!("{:15} {:6.1} ", round.name, round.took.as_secs_f64());
        match &round.outcome {
            Ok(survived) => print_numbers(survived),
            Err(_) => println!("FAILED, --seed {}", round.seed),
        }
    }
    let survived = || rounds.iter().filter_map(|round| round.outcome.as_ref().ok());
    let (logins, crashes): (usize, usize) =
        survived().fold((0, 0), |(logins, crashes), one| (logins + one.logins, crashes + one.crashes));
    let failed = rounds.len() - survived().count();
    println!(
        "\n{} storms in {:.1} minutes: {logins} logins, {crashes} crashes of usherd; {} (--seed {seed})",
        rounds.len(),
        took.as_secs_f64() / 60.0,
        if failed == 0 { "everything held".to_owned() } else { format!("{failed} FAILED") }
    );
}

fn print_numbers(survived: &Survived) {
    let Survived { logins, without_session, crashes, stalls, peak, .. } = survived;
    let sizes = |before: &dyn std::fmt::Display, after: &dyn std::fmt::Display| format!("{before} > {after}");
    let millis = |time: Duration| time.as_millis();
    println!(
        "{logins:7} {without_session:8} {crashes:7} {stalls:6} {peak:6} {:9} {:9} {:8} {:>15} {:>13}",
        millis(survived.longest_login),
        millis(survived.longest_logout),
        millis(survived.back_after),
        sizes(&survived.before.pss_kib, &survived.after.pss_kib),
        sizes(&survived.before.descriptors, &survived.after.descriptors),
    );
}
