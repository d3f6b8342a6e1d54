//! Output: a result is bounded and conforms to the schema that was published, or it does not leave the platform.

use platform::{Error, ErrorKind};

use super::Pipeline;
use super::validate::Validated;
use crate::tool::ToolOutput;

pub(super) fn check(road: &Pipeline, call: &Validated, output: ToolOutput) -> Result<ToolOutput, Error> {
    let size = size_of(&output.structured)?;
    if size > road.parts.limits.max_result {
        return Err(Error::new(
            ErrorKind::Upstream,
            "result_too_large",
            "The result is larger than a reply may be. Ask for fewer rows or fields.",
        )
        .with_detail(format!("{size} bytes")));
    }
    if let Some(mistake) = call.tool.output.iter_errors(&output.structured).next() {
        return Err(Error::new(
            ErrorKind::Upstream,
            "result_invalid",
            "The target's answer does not have the promised shape; an operator finds the details in the log.",
        )
        .with_detail(format!("{}: {}", mistake.instance_path(), mistake.masked())));
    }
    Ok(output)
}

/// Bytes of the JSON text, without building it.
fn size_of(value: &platform::Json) -> Result<usize, Error> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, value).map_err(Error::internal)?;
    Ok(count.0)
}
