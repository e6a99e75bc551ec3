// SPDX-License-Identifier: Apache-2.0
//! What a tenant and an operator do in a week, in Chromium.

use anyhow::Result;
use menus::Cloud;

#[tokio::test(flavor = "multi_thread")]
async fn a_week_in_the_browser() -> Result<()> {
    let cloud = Cloud::start().await?;
    let cloud = tokio::task::spawn_blocking(move || menus::run(&cloud).map(|()| cloud)).await??;
    // With pages that may still listen.
    cloud.stop()
}
