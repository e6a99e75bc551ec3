// SPDX-License-Identifier: Apache-2.0
//! A drawer as a value: all that one noun brings into its room. A room is the list of its drawers.
//!
//! Both are constants, and can be read before there is a room: by the migrations, by the enforcer, by `ferrostack policy`.
//! So nothing of a drawer is repeated elsewhere; the list names it, and that is all that the rest of the room says of it.

use std::sync::Arc;

use access::Policy;
use store::{Migrations, Step};

use crate::{Attribute, FaultStyle, Microversions, Route, Routes, Service};

/// A name for a rule, and the rule: what policies lean on, and `policy.yaml` may override.
pub type Rule = (&'static str, &'static str);

/// A view by its name, and the tables of its attributes.
pub type View = (&'static str, &'static [&'static [Attribute]]);

/// One noun of the room `R`. `More` is what only this room asks of its drawers.
#[derive(Clone, Copy)]
pub struct Drawer<R: 'static, More: 'static = ()> {
    pub name: &'static str,
    /// Its part of the API; the policies are those that the routes name.
    pub routes: fn() -> Routes<R>,
    /// Its tables. Numbers are of the room: whoever adds a step takes the next.
    pub steps: &'static [Step],
    /// What its views show, where that differs by version: the tables of each, under its name.
    pub views: &'static [View],
    /// The named rules that its policies lean on, beyond those that all services share.
    pub rules: &'static [Rule],
    pub more: More,
}

impl<R: Send + Sync + 'static> Drawer<R> {
    pub const fn new(name: &'static str, routes: fn() -> Routes<R>) -> Self {
        Self { name, routes, steps: &[], views: &[], rules: &[], more: () }
    }

    /// A noun without a part of the API.
    pub const fn without_routes(name: &'static str) -> Self {
        Self::new(name, Routes::new)
    }

    /// What this room asks of its drawers beyond that.
    #[must_use]
    pub const fn with<More>(self, more: More) -> Drawer<R, More> {
        let Self { name, routes, steps, views, rules, more: () } = self;
        Drawer { name, routes, steps, views, rules, more }
    }
}

impl<R: 'static, More: Copy + 'static> Drawer<R, More> {
    #[must_use]
    pub const fn tables(self, steps: &'static [Step]) -> Self {
        Self { steps, ..self }
    }

    #[must_use]
    pub const fn shows(self, views: &'static [View]) -> Self {
        Self { views, ..self }
    }

    #[must_use]
    pub const fn rules(self, rules: &'static [Rule]) -> Self {
        Self { rules, ..self }
    }
}

/// What a room is, before it is opened.
pub struct Room<R: 'static, More: 'static = ()> {
    pub name: &'static str,
    /// `/compute`
    pub prefix: &'static str,
    pub faults: FaultStyle,
    pub versions: Option<Microversions>,
    /// Tables from before drawers had steps of their own, and of no drawer alone.
    pub steps: &'static [Step],
    pub drawers: &'static [Drawer<R, More>],
}

/// What of a room the wiring needs before it opens it.
pub struct Plan {
    pub migrations: Migrations,
    pub policies: Vec<&'static Policy>,
    pub rules: Vec<Rule>,
}

impl<R: Send + Sync + 'static, More> Room<R, More> {
    pub fn plan(&self) -> Plan {
        Plan { migrations: self.migrations(), policies: self.policies(), rules: self.rules() }
    }

    /// The steps of all drawers, in the order of their numbers.
    pub fn migrations(&self) -> Migrations {
        Migrations::gather(self.name, std::iter::once(self.steps).chain(self.drawers.iter().map(|drawer| drawer.steps)))
    }

    pub fn policies(&self) -> Vec<&'static Policy> {
        self.table().policies()
    }

    pub fn rules(&self) -> Vec<Rule> {
        self.drawers.iter().flat_map(|drawer| drawer.rules).copied().collect()
    }

    /// The routes of all drawers, in the order of the list.
    pub fn table(&self) -> Routes<R> {
        self.drawers.iter().fold(Routes::new(), |table, drawer| table.join((drawer.routes)()))
    }

    /// The API, to be served by the door.
    pub fn service(&self, room: &Arc<R>) -> Service {
        self.service_of(self.table().of(room))
    }

    /// The same with these routes: for a room that adds something to what its drawers have.
    pub fn service_of(&self, routes: Vec<Route>) -> Service {
        let (name, prefix, faults) = (self.name, self.prefix, self.faults);
        Service { name, prefix, faults, versions: self.versions, routes }
    }
}
