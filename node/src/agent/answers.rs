// SPDX-License-Identifier: Apache-2.0
//! What a controller asks, and what is answered.

use contracts::node::{Answer, Ask};

use super::{
    Agent,
    inventory::{inventory, remove_device},
};
use crate::Result;

impl Agent {
    pub(super) async fn answer(&self, ask: Ask) -> Answer {
        self.try_to_answer(ask).await.unwrap_or_else(|error| Answer::Refused { message: error.chain() })
    }

    async fn try_to_answer(&self, ask: Ask) -> Result<Answer> {
        match ask {
            Ask::ConsoleLog { server_id, lines } => {
                Ok(Answer::ConsoleLog { text: self.machines.console_log(&server_id, lines).await? })
            }
            Ask::OpenConsole { server_id, console, ticket } => {
                let machine = self.machines.at(&server_id)?;
                self.consoles.open(machine, console, ticket).await.map(|()| Answer::Opened)
            }
            Ask::Inventory => inventory(&self.host, self.switch.as_deref()).await,
            Ask::RemoveDevice { name } => remove_device(&self.host, self.switch.as_deref(), name).await,
        }
    }
}
