// SPDX-License-Identifier: Apache-2.0
//! Token validations a second: what every other service of a cloud asks for all day.

use std::sync::Arc;

use crate::{
    Plan,
    cloud::Home,
    floor::Floor,
    http::Connection,
    load::{self, Target},
    report::{Line, Report},
    rounds::quantile,
};

const CLIENTS: [usize; 3] = [1, 8, 32];

pub async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let home = Home::make(&plan.binary, &plan.dir)?;
    let (controller, _) = home.start().await?;
    let token = home.log_in().await?;
    let ours = Arc::new(Target {
        authority: home.authority.clone(),
        pid: controller.pid(),
        path: "/identity/v3/auth/tokens".to_owned(),
        headers: vec![("x-auth-token", token.clone()), ("x-subject-token", token)],
        post: None,
    });
    let size = load::ask(&mut Connection::open(&ours.authority).await?, &ours).await?.len();
    let floor = Floor::start(size)?;

    report.title(&format!("token: validations over kept connections, {size} bytes each"));
    for clients in CLIENTS {
        let (mut rates, mut cpu, mut late) = (Both::default(), Both::default(), Both::default());
        for _ in 0..plan.rounds {
            for (target, is_floor) in [(&floor.target, true), (&ours, false)] {
                let turn = load::turn(target, clients, plan.turn).await?;
                rates.of(is_floor).push(turn.per_second);
                cpu.of(is_floor).push(turn.cpu_ms * 1e3);
                late.of(is_floor).push(quantile(&turn.latencies, 0.99));
            }
        }
        let name = |what: &str| format!("{what}, {clients} client{}", if clients == 1 { "" } else { "s" });
        let line = |what: &str, unit, both: &Both| Line::new("token", name(what), unit, &both.ours).over(FLOOR, &both.floor);
        report.line(&line("validations", "/s", &rates));
        report.line(&line("server CPU", "µs", &cpu));
        report.line(&line("99 in 100 within", "ms", &late));
    }
    controller.stop()
}

const FLOOR: &str = "a server with a fixed answer";

#[derive(Default)]
struct Both {
    ours: Vec<f64>,
    floor: Vec<f64>,
}

impl Both {
    fn of(&mut self, is_floor: bool) -> &mut Vec<f64> {
        if is_floor { &mut self.floor } else { &mut self.ours }
    }
}
