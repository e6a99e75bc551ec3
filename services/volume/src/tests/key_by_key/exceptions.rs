// SPDX-License-Identifier: Apache-2.0
//! What of the examples is not asked for, and where our answers deliberately differ.

use shapes::Exception;

const BACKUPS: &str = "there are no backups";
const OLDER: &str = "consistency groups are of before groups: not served";
const CLUSTERS: &str = "there are no clusters of services";
const TAKEN_IN: &str = "what another system made is not taken in";
const ENCRYPTION: &str = "the cloud encrypts no volumes";
const LOGS: &str = "levels of logs are not set by the API";
const CONNECTED: &str = "no client is told how to reach a volume";
const NO_DEFAULT: &str = "there is none";
const PER_USER: &str = "quotas are of projects";

/// Examples for which nothing is asked.
pub(super) const NOT_ASKED: &[(&str, &str)] = &[
    ("attachment-update", CONNECTED),
    ("backup-record-export", BACKUPS),
    ("backup-record-import", BACKUPS),
    ("backup-restore", BACKUPS),
    ("v3/samples/backups/backup-create", BACKUPS),
    ("v3/samples/backups/backup-show", BACKUPS),
    ("v3/samples/backups/backups-list-detailed", BACKUPS),
    ("v3/samples/backups/backups-list", BACKUPS),
    ("v3/samples/backups/v3.18/backup-create", BACKUPS),
    ("v3/samples/backups/v3.18/backup-show", BACKUPS),
    ("v3/samples/backups/v3.18/backups-list-detailed", BACKUPS),
    ("v3/samples/backups/v3.18/backups-list", BACKUPS),
    ("v3/samples/backups/v3.43/backup-create", BACKUPS),
    ("v3/samples/backups/v3.43/backup-show", BACKUPS),
    ("v3/samples/backups/v3.43/backups-list-detailed", BACKUPS),
    ("v3/samples/backups/v3.43/backups-list", BACKUPS),
    ("v3/samples/backups/v3.45/backup-create", BACKUPS),
    ("v3/samples/backups/v3.45/backup-show", BACKUPS),
    ("v3/samples/backups/v3.45/backups-list-detailed", BACKUPS),
    ("v3/samples/backups/v3.45/backups-list", BACKUPS),
    ("v3/samples/backups/v3.56/backup-create", BACKUPS),
    ("v3/samples/backups/v3.56/backup-show", BACKUPS),
    ("v3/samples/backups/v3.56/backups-list-detailed", BACKUPS),
    ("v3/samples/backups/v3.56/backups-list", BACKUPS),
    ("v3/samples/backups/v3.9/backup-create", BACKUPS),
    ("v3/samples/backups/v3.9/backup-show", BACKUPS),
    ("v3/samples/backups/v3.9/backup-update", BACKUPS),
    ("v3/samples/backups/v3.9/backups-list-detailed", BACKUPS),
    ("v3/samples/backups/v3.9/backups-list", BACKUPS),
    ("backups-list", BACKUPS),
    ("cgsnapshots-create", OLDER),
    ("cgsnapshots-list-detailed", OLDER),
    ("cgsnapshots-list", OLDER),
    ("cgsnapshots-show", OLDER),
    ("v3/samples/clusters/v3.7/cluster-disable", CLUSTERS),
    ("v3/samples/clusters/v3.7/cluster-enable", CLUSTERS),
    ("v3/samples/clusters/v3.7/cluster-show", CLUSTERS),
    ("v3/samples/clusters/v3.7/clusters-list-detailed", CLUSTERS),
    ("v3/samples/clusters/v3.7/clusters-list", CLUSTERS),
    ("consistency-group-create", OLDER),
    ("consistency-group-show", OLDER),
    ("consistency-groups-list-detailed", OLDER),
    ("consistency-groups-list", OLDER),
    ("group-type-default", NO_DEFAULT),
    ("v3/samples/os-services/v3.32/service-get-log", LOGS),
    ("services-get-log", LOGS),
    ("snapshot-manage-list-detail", TAKEN_IN),
    ("snapshot-manage-list", TAKEN_IN),
    ("v3/samples/snapshot_manage_extensions/snapshot-manage", TAKEN_IN),
    ("user-quotas-show", PER_USER),
    ("user-quotas-update", PER_USER),
    ("volume-manage-list-detail", TAKEN_IN),
    ("volume-manage-list", TAKEN_IN),
    ("v3/samples/volume_manage_extensions/volume-manage", TAKEN_IN),
    ("v3/samples/volume_type/encryption-type-create", ENCRYPTION),
    ("v3/samples/volume_type/encryption-type-show", ENCRYPTION),
    ("v3/samples/volume_type/encryption-type-specific-specs-show", ENCRYPTION),
    ("v3/samples/volume_type/encryption-type-update", ENCRYPTION),
    ("worker-cleanup", CLUSTERS),
];

const OF_OTHERS: &str = "the name was chosen by whoever made the example";

pub(super) const EXCEPTIONS: &[Exception] = &[
    ("image-metadata-show", "/metadata/key1", OF_OTHERS),
    ("image-metadata-show", "/metadata/key2", OF_OTHERS),
    ("quota-classes-show", "/quota_class_set/gigabytes_lvmdriver-1", OF_OTHERS),
    ("quota-classes-show", "/quota_class_set/snapshots_lvmdriver-1", OF_OTHERS),
    ("quota-classes-show", "/quota_class_set/volumes_lvmdriver-1", OF_OTHERS),
    ("quota-classes-update", "/quota_class_set/gigabytes_lvmdriver-1", OF_OTHERS),
    ("quota-classes-update", "/quota_class_set/snapshots_lvmdriver-1", OF_OTHERS),
    ("quota-classes-update", "/quota_class_set/volumes_lvmdriver-1", OF_OTHERS),
    ("v3/samples/snapshots/snapshot-metadata-show-key", "/meta/key", OF_OTHERS),
    ("v3/samples/snapshots/snapshot-metadata-update-key", "/meta/key", OF_OTHERS),
    ("v3/samples/snapshots/snapshot-metadata-update", "/metadata/new_key", OF_OTHERS),
    ("v3/samples/volume_type/volume-type-default", "/volume_type/extra_specs/capabilities", OF_OTHERS),
    ("v3/samples/volumes/volumes-list-summary", "/volume-summary/metadata/key1", OF_OTHERS),
    ("v3/samples/volumes/volumes-list-summary", "/volume-summary/metadata/key2", OF_OTHERS),
    ("v3/samples/os-services/v3.49/services-list", "/services/[]/disabled_reason", "the scheduler is never disabled"),
    ("services-enable", "/disabled_reason", "newer examples do without it, and what is enabled has no reason not to be"),
    ("volume-image-metadata-update", "/metadata/checksum", "an image is known by its SHA-512 here, which is no such checksum"),
];
