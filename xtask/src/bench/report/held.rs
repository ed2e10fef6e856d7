//! The tables of brokers side by side with sessions held.

use super::side::{find, print_case};
use super::{ratio, three};
use crate::bench::broker::Name;
use crate::bench::peers::Peers;

pub(super) fn print(peers: &Peers) {
    print_one_more(peers);
    print_many(peers);
    print_memory(peers);
    print_quiet(peers);
    print_lists(peers);
    print_revived(peers);
    if let Some(few) = &peers.descriptors {
        println!(
            "\nelogind with 1024 descriptors, as its init script starts it: {} of {} sessions opened, {}{}",
            few.opened,
            few.wanted,
            if few.lives { "and it lives" } else { "and it is gone" },
            few.reason.as_ref().map_or(String::new(), |why| format!("; first failure: {why}"))
        );
    }
    for note in &peers.notes {
        println!("  {}, {}: not measured: {}", note.broker.text(), note.what, note.why);
    }
}

fn print_one_more(peers: &Peers) {
    println!(
        "\nOne more login, with sessions held             n      open p50     p90     p99  close p50     p90     p99   \
         to usher: open p50     p99  close p50"
    );
    for case in peers.warm.iter().filter(|case| case.at_once == 1 && !case.permit) {
        let usher = find(peers, Name::Usher, false, 1, case.held);
        print_case(case, usher, &format!("{}, {} held", case.broker.text(), case.held));
        if let Some(before) =
            peers.before.iter().find(|before| before.held == case.held && before.case.broker == case.broker)
        {
            print_case(
                &before.case,
                usher,
                &format!("{}, right before these were opened", case.broker.text()),
            );
        }
    }
}

fn print_many(peers: &Peers) {
    println!("\nSessions of 10 users, opened 32 at a time");
    for opened in &peers.opened {
        let name = format!("{}, from {} to {}", opened.broker.text(), opened.from, opened.to);
        let wall = opened.wall_ms;
        println!(
            "  {name:40} {:5} in {wall:8.0} ms{}",
            opened.opened,
            opened.failure().map_or(String::new(), |why| format!("   {why}"))
        );
    }
    println!("\nThe same, closed all at once                   n           p50     p90     p99");
    for closed in &peers.closed {
        let name = format!("{}, {} open", closed.broker.text(), closed.open);
        let (wall, times) = (closed.wall_ms, three(&closed.times));
        let why = closed.failure().map_or(String::new(), |why| format!("   {why}"));
        println!("  {name:40} {:5}   {times}   all in {wall:.0} ms{why}", closed.closed);
    }
}

fn print_memory(peers: &Peers) {
    println!(
        "\nMemory, sessions held                   PSS KiB   of it anonymous   descriptors   those who work for it, PSS KiB"
    );
    for memory in peers.memory.iter().filter(|memory| memory.daemon) {
        let others = peers
            .memory
            .iter()
            .filter(|other| !other.daemon && (other.broker, other.held) == (memory.broker, memory.held));
        let others: Vec<String> =
            others.map(|other| format!("{} {}", other.process, other.pss_kib)).collect();
        let name = format!("{}, {} held", memory.process, memory.held);
        println!(
            "  {name:36} {:8}   {:15}   {:11}   {}",
            memory.pss_kib,
            memory.anonymous_kib,
            memory.descriptors,
            others.join(", ")
        );
    }
}

fn print_quiet(peers: &Peers) {
    println!("\nNothing happens");
    for quiet in &peers.quiet {
        println!(
            "  {}, {} sessions held: woken {} times in {:.1} s, {:.1} times a minute",
            quiet.process,
            quiet.held,
            quiet.wakes,
            quiet.seconds,
            quiet.per_minute()
        );
    }
}

fn print_lists(peers: &Peers) {
    println!("\nLists of sessions                              n           p50     p90     p99   to usher");
    let usher = peers.lists.iter().find(|lists| lists.broker == Name::Usher);
    for lists in &peers.lists {
        for (what, times, usher) in [
            ("ListSessions".to_owned(), &lists.call, usher.map(|usher| &usher.call)),
            (lists.command.clone(), &lists.took, usher.map(|usher| &usher.took)),
        ] {
            let name = format!("{}, {} listed: {what}", lists.broker.text(), lists.sessions);
            let part = ratio(times.percentile(50), usher.and_then(|usher| usher.percentile(50)));
            println!("  {name:40} {:5}   {}   {part}", times.len(), three(times));
        }
    }
}

fn print_revived(peers: &Peers) {
    println!("\nkill -9, with sessions held");
    for revived in &peers.revived {
        let serves =
            revived.serves_ms.map_or(String::new(), |ms| format!(", its own socket after {ms:.0} ms"));
        println!(
            "  {:8} ListSessions answered after {:.0} ms{serves}; {} of {} sessions known",
            revived.broker.text(),
            revived.answers_ms,
            revived.known,
            revived.before
        );
    }
}
