use std::net::{Ipv4Addr, TcpListener, UdpSocket};

/// Ports tried, below those that the kernel gives to whoever does not care.
const MOST: u16 = 10_000;

/// A number of a port for a program that has to be told one, and that nobody else is given as long as this is held.
///
/// A port that was free a moment ago may be another's by the time it is used: the kernel gives it to the next who connects
/// anywhere. So this one is below the kernel's own, and tests that want one as well see that it is claimed: its UDP namesake is
/// bound.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _claim: UdpSocket,
}

impl Port {
    /// Claims one on the loopback address.
    pub fn claim() -> Self {
        let above = kernels_first();
        let from = above.saturating_sub(MOST).max(1024);
        // Those that look at the same time begin at different places.
        let first = std::process::id() as u16 % (above - from);
        let mut numbers = (from..above).cycle().skip(usize::from(first)).take(usize::from(above - from));
        numbers.find_map(Self::of).expect("a free port")
    }

    fn of(number: u16) -> Option<Self> {
        let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
        // Who else listens there has not asked for a claim.
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok().map(|_free| Self { number, _claim: claim })
    }

    /// The number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

/// The first that the kernel gives away itself.
fn kernels_first() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_768)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_given_a_port_twice() {
        let first = Port::claim();
        let second = Port::claim();
        assert_ne!(first.number(), second.number());
        assert!(first.number() < kernels_first() && Port::of(first.number()).is_none());
        let number = first.number();
        drop(first);
        TcpListener::bind((Ipv4Addr::LOCALHOST, number)).expect("it is for whoever was told");
    }
}
