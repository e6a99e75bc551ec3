// SPDX-License-Identifier: Apache-2.0
//! Brings the copy of a volume to its end: the image is made, filled by the node, or goes again.

use contracts::{Refusal, RefusalKind};
use store::Actor;
use work::{Step, crash};

use crate::{
    BlockStorage,
    error::Result,
    message::{self, Message},
    volume::{self, Copy, CopyStage, Volume},
};

impl BlockStorage {
    pub(super) async fn converge_copy(&self, volume: &Volume, copy: &Copy) -> Result<Step> {
        let image = &copy.image.id;
        match copy.stage {
            CopyStage::Asked => match self.images.ensure_snapshot(&copy.image).await {
                Err(refusal) if !refusal.is_transient() => self.fail_copy(volume, refusal).await,
                made => {
                    made?;
                    crash::point("volume.copy.image-made");
                    self.move_copy_on(volume, Some(CopyStage::Copying)).await?;
                    Ok(Step::Again)
                }
            },
            CopyStage::Copying => match self.images.get(None, image).await {
                Ok(facts) if ["active", "deactivated"].contains(&facts.status.as_str()) => {
                    self.move_copy_on(volume, None).await?;
                    crash::point("volume.copy.done");
                    Ok(Step::Settled)
                }
                Ok(_) => Ok(Step::Wait),
                Err(refusal) if refusal.kind == RefusalKind::NotFound => {
                    let gone = Refusal::not_found("The image was deleted before it had its data.");
                    self.fail_copy(volume, gone).await
                }
                Err(refusal) => Err(refusal.into()),
            },
            CopyStage::Failing => {
                self.images.release_snapshot(image).await?;
                crash::point("volume.copy.image-released");
                self.move_copy_on(volume, None).await?;
                Ok(Step::Settled)
            }
        }
    }

    async fn fail_copy(&self, volume: &Volume, refusal: Refusal) -> Result<Step> {
        let told = Message::of_volume(volume, "copy to image", &refusal.message);
        self.store.write(move |tx| message::table::insert(tx, &Actor::system("volume"), &told)).await?;
        self.move_copy_on(volume, Some(CopyStage::Failing)).await?;
        Ok(Step::Again)
    }

    async fn move_copy_on(&self, volume: &Volume, stage: Option<CopyStage>) -> Result<()> {
        let before = volume.clone();
        let after = self
            .store
            .write(move |tx| {
                let mut after = before.clone();
                after.copy = before.copy.clone().and_then(|copy| Some(Copy { stage: stage?, ..copy }));
                volume::table::save(tx, &Actor::system("volume"), "volume.upload.move", &before, after)
            })
            .await?;
        self.tell(&after);
        Ok(())
    }
}
