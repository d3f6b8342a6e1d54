//! The process's own numbers, read from `/proc` when somebody asks for `/metrics`, under the names that the Prometheus
//! client libraries agreed on. Next: [`super::metrics`].

use std::fmt;
use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Ticks per second in `/proc/*/stat`: USER_HZ, which Linux fixes at 100 towards user space on every architecture we
/// build for (proc(5)).
const USER_HZ: f64 = 100.0;

#[derive(Debug)]
pub(super) struct ProcessCollector;

/// What one reading says. Missing where `/proc` is missing.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    resident_bytes: Option<u64>,
    cpu_seconds: Option<f64>,
    start_epoch_s: Option<f64>,
    open_files: Option<u64>,
}

fn read() -> Reading {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
    let mut reading = parse(&status, &stat, &machine);
    reading.open_files = fs::read_dir("/proc/self/fd").ok().map(|d| d.count() as u64);
    reading
}

fn parse(status: &str, stat: &str, machine: &str) -> Reading {
    let resident = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|v| v.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    // The command name, in parentheses, may hold spaces and parentheses; the fields after it may not. Field 3 comes first.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
    let ticks = |number: usize| fields.get(number - 3).and_then(|v| v.parse::<f64>().ok());
    let boot = machine.lines().find_map(|l| l.strip_prefix("btime ")).and_then(|v| v.trim().parse::<f64>().ok());
    Reading {
        resident_bytes: kib.map(|k| k * 1024),
        cpu_seconds: ticks(14).zip(ticks(15)).map(|(user, system)| (user + system) / USER_HZ),
        start_epoch_s: boot.zip(ticks(22)).map(|(boot, since)| boot + since / USER_HZ),
        open_files: None,
    }
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let reading = read();
        let mut put = |name: &str, help: &str, metric: &dyn AnyMetric| metric.put(&mut encoder, name, help);
        if let Some(bytes) = reading.resident_bytes {
            put("process_resident_memory_bytes", "Resident memory in bytes", &ConstGauge::new(bytes))?;
        }
        if let Some(seconds) = reading.cpu_seconds {
            put("process_cpu_seconds", "User and system CPU time spent in seconds", &ConstCounter::new(seconds))?;
        }
        if let Some(at) = reading.start_epoch_s {
            put("process_start_time_seconds", "Start of the process in seconds since the epoch", &ConstGauge::new(at))?;
        }
        if let Some(count) = reading.open_files {
            put("process_open_fds", "Open file descriptors", &ConstGauge::new(count))?;
        }
        Ok(())
    }
}

/// `EncodeMetric` as one method, so that gauges and counters of several number types go through one closure.
trait AnyMetric {
    fn put(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> Result<(), fmt::Error>;
}

impl<T: EncodeMetric> AnyMetric for T {
    fn put(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str) -> Result<(), fmt::Error> {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::{Reading, parse};

    #[test]
    fn proc_is_read_even_when_the_command_name_is_hostile() {
        let status = "Name:\tx\nVmRSS:\t   2048 kB\n";
        let stat = "7 (a) b (c)) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 9 0 1000 1 1";
        let reading = parse(status, stat, "cpu 1\nbtime 1700000000\n");
        let want = Reading {
            resident_bytes: Some(2048 * 1024),
            cpu_seconds: Some(2.0),
            start_epoch_s: Some(1_700_000_010.0),
            open_files: None,
        };
        assert_eq!(reading, want);
    }

    #[test]
    fn a_system_without_proc_says_nothing_instead_of_zero() {
        assert_eq!(parse("", "", ""), Reading::default());
    }
}
