// SPDX-License-Identifier: Apache-2.0
//! What a tenant and an operator do in a week, in Chromium.

use anyhow::Result;
use menus::Cloud;

#[test]
fn a_week_in_the_browser() -> Result<()> {
    let cloud = Cloud::start()?;
    menus::run(&cloud)?;
    cloud.stop()
}
