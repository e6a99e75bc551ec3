// SPDX-License-Identifier: Apache-2.0
//! What was asked of servers, by whom, and how it ended: os-instance-actions. An action is written in the transaction
//! that does it and finished in the one that learns how it went; it outlives its server for a while.

mod api;
pub(crate) mod policy;
mod table;

pub(crate) use api::routes;
pub(crate) use table::{begin, done, fail_open, failed, finish, finish_through};

pub(crate) const DRAWER: crate::Drawer =
    crate::Drawer::new("instance_action", routes).shows(&[("action", &[api::ACTION_BRIEF]), ("event", &[api::EVENT])]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Delete,
    Start,
    Stop,
    Reboot,
    Pause,
    Unpause,
    Rebuild,
    Rescue,
    Unrescue,
    Resize,
    Migrate,
    ConfirmResize,
    RevertResize,
    CreateImage,
    AttachInterface,
    DetachInterface,
    AttachVolume,
    DetachVolume,
    ExtendVolume,
    Lock,
    Unlock,
    ResetState,
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Delete => "delete",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Reboot => "reboot",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Rebuild => "rebuild",
            Self::Rescue => "rescue",
            Self::Unrescue => "unrescue",
            Self::Resize => "resize",
            Self::Migrate => "migrate",
            Self::ConfirmResize => "confirmResize",
            Self::RevertResize => "revertResize",
            Self::CreateImage => "createImage",
            Self::AttachInterface => "attach_interface",
            Self::DetachInterface => "detach_interface",
            Self::AttachVolume => "attach_volume",
            Self::DetachVolume => "detach_volume",
            Self::ExtendVolume => "extend_volume",
            Self::Lock => "lock",
            Self::Unlock => "unlock",
            Self::ResetState => "resetState",
        }
    }

    /// How our own stream of events calls it.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Lock => "server.lock",
            Self::Unlock => "server.unlock",
            Self::ResetState => "server.reset_state",
            Self::CreateImage => "server.create_image",
            Self::AttachInterface => "server.interface.attach",
            Self::DetachInterface => "server.interface.detach",
            Self::AttachVolume => "server.volume.attach",
            Self::DetachVolume => "server.volume.detach",
            Self::ExtendVolume => "server.volume.extend",
            Self::Create => "server.create",
            Self::Delete => "server.delete",
            Self::Start => "server.start",
            Self::Stop => "server.stop",
            Self::Reboot => "server.reboot",
            Self::Pause => "server.pause",
            Self::Unpause => "server.unpause",
            Self::Rebuild => "server.rebuild",
            Self::Rescue => "server.rescue",
            Self::Unrescue => "server.unrescue",
            Self::Resize => "server.resize",
            Self::Migrate => "server.migrate",
            Self::ConfirmResize => "server.resize.confirm",
            Self::RevertResize => "server.resize.revert",
        }
    }

    /// Nova's name for the one event of this action.
    fn event(self) -> &'static str {
        match self {
            Self::Create => "compute__do_build_and_run_instance",
            Self::Delete => "compute_terminate_instance",
            Self::ExtendVolume => "compute_extend_volume",
            Self::Start => "compute_start_instance",
            Self::Stop => "compute_stop_instance",
            Self::Reboot => "compute_reboot_instance",
            Self::Pause => "compute_pause_instance",
            Self::Unpause => "compute_unpause_instance",
            Self::Rebuild => "compute_rebuild_instance",
            Self::Rescue => "compute_rescue_instance",
            Self::Unrescue => "compute_unrescue_instance",
            Self::Resize | Self::Migrate => "compute_resize_instance",
            Self::ConfirmResize => "compute_confirm_resize",
            Self::RevertResize => "compute_revert_resize",
            Self::CreateImage => "compute_snapshot_instance",
            Self::AttachInterface => "compute_attach_interface",
            Self::DetachInterface => "compute_detach_interface",
            Self::AttachVolume => "compute_attach_volume",
            Self::DetachVolume => "compute_detach_volume",
            Self::Lock | Self::Unlock | Self::ResetState => "",
        }
    }
}
