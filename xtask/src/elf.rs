//! Just enough of the ELF format to tell a static program from a dynamic one.

use std::path::Path;

use anyhow::{Context, Result, bail};

/// The program header that names a dynamic loader.
const PT_INTERP: u32 = 3;

/// Fails unless the program runs in an image that holds nothing else.
pub(crate) fn ensure_static(file: &Path) -> Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match is_static(&bytes) {
        Some(true) => Ok(()),
        Some(false) => bail!("{} is not static: it asks for a dynamic loader", file.display()),
        None => bail!("{} is not a 64-bit ELF program", file.display()),
    }
}

/// `None` if the bytes are not a little-endian 64-bit ELF file.
fn is_static(bytes: &[u8]) -> Option<bool> {
    let magic = bytes.get(..6)?;
    (magic == b"\x7fELF\x02\x01").then_some(())?;
    let table = usize::try_from(u64::from_le_bytes(field(bytes, 32)?)).ok()?;
    let size = usize::from(u16::from_le_bytes(field(bytes, 54)?));
    let count = usize::from(u16::from_le_bytes(field(bytes, 56)?));
    for index in 0..count {
        let at = table.checked_add(index.checked_mul(size)?)?;
        if u32::from_le_bytes(field(bytes, at)?) == PT_INTERP {
            return Some(false);
        }
    }
    Some(true)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::is_static;

    #[test]
    fn a_dynamic_program_is_told_from_a_text() {
        let shell = std::fs::read("/bin/sh").expect("a shell");
        assert_eq!(is_static(&shell), Some(false));
        assert_eq!(is_static(b"#!/bin/sh\nexit 0\n"), None);
    }
}
