// SPDX-License-Identifier: Apache-2.0
//! What we say, in the words of protocol 2 (see [`contracts::node::earlier`]).

use contracts::node::{
    Found, MachineObserved, MachineState, NodeSettings, Spec, Thing, ToNode, Want,
    earlier::{Beyond, Machine, ToNode as Line},
};
use types::DatabaseMark;

#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// From our first line; theirs holds them and what is desired, too.
    settings: Option<NodeSettings>,
}

/// A thing that is wanted in a way for which the node's version has no words. It stays there as it was wanted last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unsaid(pub Found);

impl Earlier {
    pub fn words(&mut self, line: ToNode) -> (Vec<Line>, Vec<Unsaid>) {
        let mut unsaid = Vec::new();
        let lines = match line {
            ToNode::Welcome { node, .. } => {
                self.settings = Some(node);
                vec![]
            }
            ToNode::Desired { whole, things, database, .. } => {
                let settings = self.settings.take().filter(|_| whole);
                match settings {
                    Some(node) => vec![desired(node, things, database, &mut unsaid)],
                    None => changes(things, database, &mut unsaid),
                }
            }
            ToNode::Ask { id, ask } => vec![Line::Ask { id, ask }],
            ToNode::Beat { .. } => vec![Line::Beat],
        };
        (lines, unsaid)
    }
}

fn desired(node: NodeSettings, things: Vec<Thing>, database: DatabaseMark, unsaid: &mut Vec<Unsaid>) -> Line {
    let (mut machines, mut released) = (Vec::new(), Vec::new());
    for thing in things {
        match thing.want {
            Want::Present(Spec::Machine(machine)) => machines.extend(worded(*machine, unsaid)),
            // Such an agent cannot keep volumes, so it is told of none.
            Want::Present(Spec::Volume(_)) => {}
            Want::Released => released.extend(thing.id.server()),
        }
    }
    Line::Desired { node, machines, released, database }
}

fn changes(things: Vec<Thing>, database: DatabaseMark, unsaid: &mut Vec<Unsaid>) -> Vec<Line> {
    let mut lines = Vec::new();
    for thing in things {
        match thing.want {
            Want::Present(Spec::Machine(machine)) => {
                lines.extend(worded(*machine, unsaid).map(|machine| Line::Machine { machine: Box::new(machine) }));
            }
            Want::Present(Spec::Volume(_)) => {}
            Want::Released => lines.extend(thing.id.server().map(|server_id| Line::Released { server_id })),
        }
    }
    lines.push(Line::Known { database });
    lines
}

fn worded(machine: contracts::node::MachineDesired, unsaid: &mut Vec<Unsaid>) -> Option<Machine> {
    let (server_id, generation, reboots) = (machine.server_id.clone(), machine.generation, machine.reboots);
    match Machine::try_from(machine) {
        Ok(machine) => Some(machine),
        Err(beyond @ Beyond(_)) => {
            // As soon as the host is brought up to date it connects anew, and is told.
            let state =
                MachineState::Failed { cause: beyond.to_string(), transient: true, how: contracts::node::Failure::Unmade };
            let found = MachineObserved { server_id, generation, reboots, state, snapshot: None, devices: Vec::new() };
            unsaid.push(Unsaid(Found::Machine(found)));
            None
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use contracts::node::{Hello, MachineDesired, Observed, Power, SPOKEN, ThingId, earlier::Report};
    use serde_json::{Value, json};
    use types::Generation;

    use super::*;

    /// As it went over the wire between a controller and an agent of that version.
    const RECORDED: &str = include_str!("earlier/protocol-2.ndjson");

    fn recorded(who: &str) -> Vec<Value> {
        let lines = RECORDED.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["from"] == who).map(|line| line["said"].clone()).collect()
    }

    fn machine_of(line: &Value) -> MachineDesired {
        serde_json::from_value::<Machine>(line.clone()).unwrap().into()
    }

    /// What is not said is not there.
    fn within(said: &Value, known: &Value) -> bool {
        match (said, known) {
            (Value::Object(said), Value::Object(known)) => {
                known.iter().all(|(key, value)| said.get(key).map_or(value.is_null(), |said| within(said, value)))
            }
            (Value::Array(said), Value::Array(known)) => {
                said.len() == known.len() && said.iter().zip(known).all(|(said, known)| within(said, known))
            }
            _ => said == known,
        }
    }

    #[test]
    fn an_agent_of_protocol_2_is_told_in_its_own_words() {
        let recorded = recorded("controller");
        let (first, second, third) = (&recorded[0], &recorded[1], &recorded[2]);
        let database: DatabaseMark = serde_json::from_value(first["database"].clone()).unwrap();
        let mut earlier = Earlier::default();
        let lease = contracts::node::Lease { at_ms: 0, for_ms: 1 };
        let node = serde_json::from_value(first["node"].clone()).unwrap();
        assert_eq!(earlier.words(ToNode::Welcome { protocol: 2, node, lease }), (vec![], vec![]));

        let wanted = Thing::machine(machine_of(&first["machines"][0]));
        let gone = Thing::released(ThingId::machine(&first["released"][0].as_str().unwrap().into()), Generation(1));
        let things = vec![wanted, gone.clone()];
        let (lines, unsaid) = earlier.words(ToNode::Desired { seq: 1, whole: true, things, database: database.clone() });
        let said = serde_json::to_value(&lines).unwrap();
        assert!(within(&said, &json!([first])), "{said:#}\n{first:#}");
        assert_eq!(unsaid, []);

        let things = vec![Thing::machine(machine_of(&second["machine"])), gone];
        let (lines, _) = earlier.words(ToNode::Desired { seq: 2, whole: false, things, database });
        let said = serde_json::to_value(&lines).unwrap();
        assert!(within(&said, &json!([second, third, recorded[3]])), "{said:#}");
        assert_eq!(earlier.words(ToNode::Beat { lease }).0, [Line::Beat]);
    }

    #[test]
    fn an_agent_of_protocol_2_is_understood() {
        let recorded = recorded("node");
        let hello: Hello = serde_json::from_value(recorded[0].clone()).unwrap();
        assert_eq!((SPOKEN.common(hello.speaks), hello.features.len()), (Some(2), 0));
        let report: Report = serde_json::from_value(recorded[1].clone()).unwrap();
        let observed = Observed::from(report);
        assert!(observed.complete && observed.as_of == 0, "nothing follows from what it leaves out");
        let states: Vec<_> = observed.machines().map(|machine| machine.state.clone()).collect();
        assert_eq!(states, [MachineState::Running, MachineState::Gone]);
    }

    #[test]
    fn what_an_agent_of_protocol_2_cannot_do_is_not_said_and_not_forgotten() {
        let machine = MachineDesired { power: Power::Paused, ..machine_of(&recorded("controller")[0]["machines"][0]) };
        let database = serde_json::from_value(recorded("controller")[0]["database"].clone()).unwrap();
        let desired = ToNode::Desired { seq: 2, whole: false, things: vec![Thing::machine(machine.clone())], database };
        let (lines, unsaid) = Earlier::default().words(desired);
        assert!(matches!(lines.as_slice(), [Line::Known { .. }]), "{lines:?}");
        let [Unsaid(Found::Machine(found))] = unsaid.as_slice() else { panic!("{unsaid:?}") };
        assert_eq!((&found.server_id, found.generation), (&machine.server_id, machine.generation));
        let MachineState::Failed { cause, transient: true, .. } = &found.state else { panic!("{found:?}") };
        assert!(cause.contains("cannot pause a machine"), "{cause}");
    }
}
