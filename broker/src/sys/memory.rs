//! What the allocator holds, and what is in memory of the program.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::raw;

/// What is at least this large is memory of its own, which goes back to the system as soon as nobody uses it.
const LARGE: i32 = 128 * 1024;
/// So much may be free above everything that is in use.
const SPARE: i32 = 128 * 1024;

/// Has the allocator keep little; to be called before there are other threads. glibc's would give each thread memory of its own, of
/// which free parts never go back, and, once something large was freed, keep as much for the next time. usherd's threads wait
/// for the kernel, and not for memory.
pub fn keep_little() {
    raw::set_up_heap(LARGE, SPARE);
}

/// Where glibc's allocator is told what mallopt(3) has no word for, ld.so(8).
const TUNABLES: &str = "GLIBC_TUNABLES";
/// No cache of free memory in each thread. What is in there lies scattered over the heap, each piece in a page of its own that
/// cannot go back: after a thousand sessions a megabyte.
const NO_THREAD_CACHES: &str = "glibc.malloc.tcache_count=0";
/// Says that this has been done already, for whatever came of it.
const ONCE: &str = "USHERD_STARTED_AGAIN";

/// Executes this program once more, as the same process with the same arguments, where that makes its allocator keep less: the
/// one of glibc reads how it is to be when it starts. An administrator's own choice stays, and if it cannot be done, this
/// returns and nothing is different. To be called before anything is opened.
pub fn start_again_with_little(arguments: impl Iterator<Item = OsString>) {
    if cfg!(not(target_env = "gnu")) || [TUNABLES, ONCE].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    // Its own path, and not /proc/self/exe: a process is called by what was executed.
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = arguments;
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It only returns if it has failed.
    let _error = command.args(arguments).env(TUNABLES, NO_THREAD_CACHES).env(ONCE, "1").exec();
}

/// Gives memory back to the system: what is free, and code that was needed for what is over. What is needed again comes
/// from the page cache, by some faults of a microsecond each. Takes some milliseconds at most.
pub fn give_back() {
    raw::trim_heap();
    raw::let_go_of_code();
}

/// The mappings of code, of all in proc_pid_smaps(5), that cannot be written to and of which no page differs from the file: where
/// each starts, and its length in bytes. Those with a debugger's breakpoints are none.
pub(super) fn untouched_code(maps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut candidate = None;
    let mut own = None;
    for line in maps.lines() {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "Anonymous:" => own = kib(rest),
            // The last of the two. What is swapped out is the process's own, too.
            "Swap:" => {
                let untouched = own.take() == Some(0) && kib(rest) == Some(0);
                found.extend(candidate.take().filter(|_| untouched));
            }
            _ if word.ends_with(':') => {}
            _ => (candidate, own) = (code(word, rest), None),
        }
    }
    found
}

/// A mapping's first line, if it is of code in a file and cannot be written to.
fn code(range: &str, rest: &str) -> Option<(usize, usize)> {
    let mut words = rest.split_ascii_whitespace();
    if words.next()? != "r-xp" || !words.nth(3)?.starts_with('/') {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    let start = usize::from_str_radix(start, 16).ok()?;
    Some((start, usize::from_str_radix(end, 16).ok()?.checked_sub(start)?))
}

fn kib(text: &str) -> Option<u64> {
    text.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(first: &str, anonymous: u32, swap: u32) -> String {
        format!(
            "{first}\nSize: 8 kB\nRss: 8 kB\nAnonymous:     {anonymous} kB\nLazyFree: 0 kB\nSwap:     {swap} kB\n\
             SwapPss: 0 kB\nVmFlags: rd ex mr mw me sd\n"
        )
    }

    #[test]
    fn only_code_as_it_is_in_its_file_is_let_go() {
        let code = "1000-3000 r-xp 00001000 fe:00 12   /usr/sbin/usherd";
        let library = "5000-6000 r-xp 00000000 fe:00 12   /usr/lib/lib c.so.6";
        let maps = [
            mapping(code, 0, 0),
            mapping("3000-5000 rw-p 00003000 fe:00 12   /usr/sbin/usherd", 0, 0),
            mapping(library, 0, 0),
            // Constants, as files have them that somebody reads for a moment.
            mapping("6000-7000 r--p 00003000 fe:00 12   /usr/sbin/usherd", 0, 0),
            // With a breakpoint; the same, swapped out.
            mapping("7000-8000 r-xp 00001000 fe:00 13   /usr/lib/libc.so.6", 4, 0),
            mapping("8000-9000 r-xp 00001000 fe:00 14   /usr/lib/libm.so.6", 0, 4),
            mapping("9000-a000 r-xs 00001000 fe:00 15   /var/shared", 0, 0),
            mapping("a000-b000 r-xp 00000000 00:00 0    [vdso]", 0, 0),
            mapping("b000-c000 r-xp 00000000 00:00 0 ", 0, 0),
            mapping("c000-c000 r-xp 00000000 fe:00 12   /cut/off", 0, 0).lines().next().unwrap().to_owned(),
        ];
        assert_eq!(untouched_code(&maps.concat()), [(0x1000, 0x2000), (0x5000, 0x1000)]);
        assert!(untouched_code("").is_empty() && untouched_code("nonsense\n\n:\nSwap: 0 kB").is_empty());
    }

    #[test]
    fn the_program_goes_on_without_it() {
        let own = std::fs::read_to_string("/proc/self/smaps").unwrap();
        assert!(!untouched_code(&own).is_empty(), "{own}");
        let before: u64 = (1..1000_u64).sum();
        give_back();
        assert_eq!((1..1000_u64).sum::<u64>(), before);
        assert!(format!("{:?}", std::time::SystemTime::now()).contains("SystemTime"));
    }
}
