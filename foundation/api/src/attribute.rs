// SPDX-License-Identifier: Apache-2.0
//! What a view shows, as a table: the name of each attribute, in which versions it is there, and for whom.
//!
//! A service with microversions writes its views with [`attributes!`]: the same lines write an answer and make the table
//! from which a reference is printed, so that neither can say what the other does not.

use access::Policy;
use types::Microversion;

/// One attribute of a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    pub name: &'static str,
    /// From which version on, and up to which, it is there.
    pub since: Option<Microversion>,
    pub until: Option<Microversion>,
    /// Who sees it, where not everybody does who sees the view.
    pub policy: Option<&'static Policy>,
    /// Whether it may be absent for what the thing is.
    pub is_optional: bool,
}

/// A view in the eyes of one request.
pub trait Shown {
    fn version(&self) -> Microversion;

    fn may(&self, policy: &'static Policy) -> bool;
}

impl Attribute {
    pub fn is_in(&self, version: Microversion) -> bool {
        self.since.is_none_or(|since| version >= since) && self.until.is_none_or(|until| version <= until)
    }

    pub fn is_shown(&self, view: &impl Shown) -> bool {
        self.is_in(view.version()) && self.policy.is_none_or(|policy| view.may(policy))
    }
}

/// The table as a reference prints it, a line an attribute.
pub fn reference(attributes: &[Attribute]) -> String {
    let line = |attribute: &Attribute| {
        let Attribute { name, since, until, policy, is_optional } = attribute;
        let versions = match (since, until) {
            (None, None) => String::new(),
            (Some(since), None) => format!(", since {since}"),
            (None, Some(until)) => format!(", until {until}"),
            (Some(since), Some(until)) => format!(", {since} to {until}"),
        };
        let whom = policy.map_or_else(String::new, |policy| format!(", for whom {} admits", policy.name));
        let optional = if *is_optional { ", where there is one" } else { "" };
        format!("{name}{versions}{whom}{optional}\n")
    };
    attributes.iter().map(line).collect()
}

/// A table of attributes, and the function that writes them into a map:
///
/// ```ignore
/// attributes! {
///     /// What everybody is told.
///     PLAIN, fn plain(it: &View<'_>);
///     "id" => it.thing.id,
///     "tags" since(v(26)) => it.thing.tags,
///     "host" by(policy::SEE_HOSTS) => it.thing.host,
///     "fault" if it.thing.fault.is_some() => it.thing.fault,
/// }
/// ```
#[macro_export]
macro_rules! attributes {
    (
        $(#[$doc:meta])*
        $table:ident, fn $write:ident($it:ident: &$view:ty);
        $($name:literal $(since($since:expr))? $(until($until:expr))? $(by($policy:path))? $(if $when:expr)? => $value:expr),+ $(,)?
    ) => {
        $(#[$doc])*
        pub(crate) const $table: &[$crate::Attribute] =
            &[$($crate::attributes!(@one $name [$($since)?] [$($until)?] [$($policy)?] [$($when)?])),+];

        fn $write<M: ::serde::ser::SerializeMap>($it: &$view, map: &mut M) -> ::std::result::Result<(), M::Error> {
            $({
                const ATTRIBUTE: $crate::Attribute =
                    $crate::attributes!(@one $name [$($since)?] [$($until)?] [$($policy)?] [$($when)?]);
                if ATTRIBUTE.is_shown($it) $(&& $when)? {
                    map.serialize_entry(ATTRIBUTE.name, &$value)?;
                }
            })+
            Ok(())
        }
    };
    (@one $name:literal [$($since:expr)?] [$($until:expr)?] [$($policy:path)?] [$($when:expr)?]) => {
        $crate::Attribute {
            name: $name,
            since: $crate::attributes!(@option $($since)?),
            until: $crate::attributes!(@option $($until)?),
            policy: $crate::attributes!(@policy $($policy)?),
            is_optional: $crate::attributes!(@is_there $($when)?),
        }
    };
    (@option) => { None };
    (@option $value:expr) => { Some($value) };
    (@policy) => { None };
    (@policy $policy:path) => { Some(&$policy) };
    (@is_there) => { false };
    (@is_there $when:expr) => { true };
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde::{Serialize, Serializer, ser::SerializeMap};
    use serde_json::json;

    use super::*;

    static SECRET: Policy = Policy::new("things:secret", "!", "See it.");

    struct View {
        version: u16,
        may: bool,
        fault: Option<&'static str>,
    }

    impl Shown for View {
        fn version(&self) -> Microversion {
            Microversion::new(2, self.version)
        }

        fn may(&self, _: &'static Policy) -> bool {
            self.may
        }
    }

    crate::attributes! {
        /// All of it.
        TABLE, fn write(it: &View);
        "id" => 7,
        "old" until(Microversion::new(2, 3)) => "o",
        "new" since(Microversion::new(2, 4)) => "n",
        "between" since(Microversion::new(2, 2)) until(Microversion::new(2, 4)) by(SECRET) => it.version,
        "fault" if it.fault.is_some() => it.fault,
    }

    impl Serialize for View {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(None)?;
            write(self, &mut map)?;
            map.end()
        }
    }

    #[test]
    fn an_attribute_is_there_in_its_versions_and_for_whom_it_is() {
        let shown = |version, may, fault| serde_json::to_value(View { version, may, fault }).unwrap();
        assert_eq!(shown(1, true, None), json!({"id": 7, "old": "o"}));
        assert_eq!(shown(3, true, Some("f")), json!({"id": 7, "old": "o", "between": 3, "fault": "f"}));
        assert_eq!(shown(4, false, None), json!({"id": 7, "new": "n"}));
        assert_eq!(shown(5, true, None), json!({"id": 7, "new": "n"}));
    }

    #[test]
    fn the_table_prints_the_reference() {
        let lines = [
            "id",
            "old, until 2.3",
            "new, since 2.4",
            "between, 2.2 to 2.4, for whom things:secret admits",
            "fault, where there is one",
        ];
        assert_eq!(reference(TABLE).lines().collect::<Vec<_>>(), lines);
    }
}
