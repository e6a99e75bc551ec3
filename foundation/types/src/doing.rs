// SPDX-License-Identifier: Apache-2.0
//! What was being done when the kernel said no: a crate's errors name it in a sentence.

/// Gives a crate the trait `Doing`, by which `fs::read(path).doing(|| format!("read {path}"))` becomes its own error, whose
/// variant `Io { doing: String, source: io::Error }` says both.
#[macro_export]
macro_rules! doing {
    ($error:ident) => {
        pub(crate) trait Doing<T> {
            fn doing(self, what: impl FnOnce() -> String) -> ::std::result::Result<T, $error>;
        }

        impl<T, E: Into<::std::io::Error>> Doing<T> for ::std::result::Result<T, E> {
            fn doing(self, what: impl FnOnce() -> String) -> ::std::result::Result<T, $error> {
                self.map_err(|source| $error::Io { doing: what(), source: source.into() })
            }
        }
    };
}
