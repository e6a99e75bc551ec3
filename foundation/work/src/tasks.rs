// SPDX-License-Identifier: Apache-2.0
//! Work that goes on by itself, and how it ends: all of it together.

use std::{future::Future, sync::Arc};

use tokio::{sync::watch, task::JoinHandle};

use crate::{Bell, Board, KeyedReconciler, reconcile::Loop, status::Desk};

/// Tasks that end when this is dropped.
pub struct Tasks {
    board: Board,
    ending: watch::Sender<bool>,
    plain: Vec<JoinHandle<()>>,
    loops: Vec<JoinHandle<()>>,
}

impl Tasks {
    /// None yet; where the reconcilers among them stand will be on this board.
    pub fn new(board: Board) -> Self {
        Self { board, ending: watch::Sender::new(false), plain: Vec::new(), loops: Vec::new() }
    }

    pub fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.plain.push(tokio::spawn(work));
    }

    /// Runs a reconciler. At each ring of the bell, and by the clock, it converges what is not as desired.
    pub fn reconcile<R: KeyedReconciler>(&mut self, reconciler: R, bell: Bell) {
        let desk = Desk::new(reconciler.name(), reconciler.deadline());
        self.board.hang(&desk);
        let work = Loop::new(Arc::new(reconciler), desk).run(bell, self.ending.subscribe());
        self.loops.push(tokio::spawn(work));
    }

    /// Ends them and waits until each has: nothing of theirs is under way any more. What was cut off goes no further, as after
    /// a crash; statements that were sent to the database may still be carried out there.
    pub async fn end(mut self) {
        let _ = self.ending.send(true);
        for task in &self.plain {
            task.abort();
        }
        for task in self.plain.drain(..).chain(self.loops.drain(..)) {
            let _ = task.await;
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        for task in self.plain.iter().chain(&self.loops) {
            task.abort();
        }
    }
}
