#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stock_clients.sh FOLDER SWIFT API S3: walks the stock clients of objects through a day, by OS_* and AWS_*. Fails with the first thing that does.
set -euo pipefail
trap 'echo "line $LINENO failed: $BASH_COMMAND" >&2' ERR
SWIFT=$2 API=$3 S3=$4
unset AWS_CA_BUNDLE
cd "$1"
mkdir swift rclone s3cmd restic tree tree/a
head -c 5000000 /dev/urandom > big; echo hello > small.txt
for i in 1 2 3 4 5; do echo $i > tree/a/f$i; echo $i > tree/$i; done

# Swift's own client: large objects of both kinds, folders, metadata, signed addresses, versions.
$SWIFT post box; $SWIFT post -r '.r:*,.rlistings' -m 'web-index:index.html' box
$SWIFT upload -S 1000000 box big >/dev/null
$SWIFT stat box big | grep 'Content Length: 5000000' >/dev/null
$SWIFT list box_segments | wc -l | grep -x 5 >/dev/null
$SWIFT upload --use-slo -S 1000000 --object-name slo box big >/dev/null
$SWIFT upload box tree >/dev/null
$SWIFT upload box tree --changed >/dev/null
$SWIFT list box -p tree/ | wc -l | grep -x 10 >/dev/null
$SWIFT list box --delimiter / --lh >/dev/null
(cd swift; $SWIFT download box >/dev/null; cmp big ../big; cmp slo ../big; diff -r tree ../tree)
$SWIFT post box small.txt 2>/dev/null && exit 1
$SWIFT upload box small.txt >/dev/null; $SWIFT post box small.txt -m colour:red -H 'X-Delete-After: 100'
$SWIFT stat box small.txt | grep -i 'Meta Colour: red' >/dev/null
$SWIFT copy --destination /box/copied box small.txt >/dev/null
$SWIFT post -m 'Temp-URL-Key:sesame'
path=$($SWIFT auth | sed -n 's/.*OS_STORAGE_URL=//p' | sed 's|.*\(/object-store.*\)|\1|')
url=$($SWIFT tempurl GET 60 "$path/box/big" sesame)
curl -sf "$API$url" | cmp - big
url=$($SWIFT tempurl --prefix-based GET 60 "$path/box/tree/" sesame)
curl -sf "$API${url/tree\/\?/tree/1?}" | cmp - tree/1
url=$($SWIFT tempurl PUT 60 "$path/box/by-url" sesame)
curl -sf -T small.txt "$API$url"
$SWIFT capabilities | grep staticweb >/dev/null
$SWIFT post versions; $SWIFT post -H 'X-Versions-Location: versions' kept
for i in 1 2 3; do echo $i > swift/o; (cd swift; $SWIFT upload kept o >/dev/null); done
$SWIFT list versions | wc -l | grep -x 2 >/dev/null
$SWIFT delete kept o >/dev/null; $SWIFT download kept o -o - | grep -x 2 >/dev/null
$SWIFT delete box big slo >/dev/null
$SWIFT list box_segments | wc -l | grep -x 0 >/dev/null
$SWIFT post -H 'X-Remove-Versions-Location: x' kept; $SWIFT delete kept >/dev/null; $SWIFT delete versions >/dev/null; $SWIFT delete box >/dev/null; $SWIFT delete box_segments >/dev/null

# rclone, through both doors.
export RCLONE_CONFIG=/dev/null
export RCLONE_CONFIG_SW_TYPE=swift RCLONE_CONFIG_SW_ENV_AUTH=true RCLONE_CONFIG_SW_CHUNK_SIZE=2M
export RCLONE_CONFIG_S_TYPE=s3 RCLONE_CONFIG_S_PROVIDER=Other RCLONE_CONFIG_S_ENDPOINT=$S3 RCLONE_CONFIG_S_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID RCLONE_CONFIG_S_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY RCLONE_CONFIG_S_REGION=regionone RCLONE_CONFIG_S_CHUNK_SIZE=5M RCLONE_CONFIG_S_UPLOAD_CUTOFF=5M
head -c 12000000 /dev/urandom > rclone/large
cp -r tree rclone/; echo x > "rclone/tree/ü &+%2F #?.txt"
for to in sw:rc1 s:rc2; do
  rclone mkdir $to
  rclone sync rclone $to/dir
  rclone check rclone $to/dir 2>/dev/null
  rclone check --download rclone $to/dir 2>/dev/null
  rclone lsjson -R $to | grep '%2F #?.txt' >/dev/null
  rm -rf back; rclone copy $to/dir back; diff -r rclone back
  rclone moveto $to/dir/tree/1 $to/dir/tree/one; rclone copyto $to/dir/large $to/large2
  rclone cat $to/dir/tree/one | grep -x 1 >/dev/null
  rclone rcat $to/piped < small.txt; rclone cat $to/piped | cmp - small.txt
  rclone touch $to/dir/tree/2; rclone size $to >/dev/null
  rclone sync rclone $to/dir; rclone check rclone $to/dir 2>/dev/null
  rclone purge $to
done

# s3cmd. The addresses that it signs are of version 2, which is refused.
cat > s3cmd/cfg <<C
[default]
access_key = $AWS_ACCESS_KEY_ID
secret_key = $AWS_SECRET_ACCESS_KEY
host_base = ${S3#*://}
host_bucket = ${S3#*://}
use_https = False
bucket_location = regionone
signature_v2 = False
C
s() { s3cmd -c s3cmd/cfg --no-progress "$@"; }
s mb s3://sc-box >/dev/null; s ls | grep s3://sc-box >/dev/null
s put big s3://sc-box/big >/dev/null; s put --multipart-chunk-size-mb=5 rclone/large s3://sc-box/large >/dev/null
s sync tree/ s3://sc-box/tree/ >/dev/null; s ls -r s3://sc-box | wc -l | grep -x 12 >/dev/null
s get --force s3://sc-box/large s3cmd/large >/dev/null; cmp s3cmd/large rclone/large
s cp s3://sc-box/big s3://sc-box/big2 >/dev/null; s mv s3://sc-box/big2 s3://sc-box/big3 >/dev/null
s info s3://sc-box | grep -i regionone >/dev/null; s info s3://sc-box/big | grep 'File size: 5000000' >/dev/null
s du s3://sc-box >/dev/null
s modify --add-header='x-amz-meta-colour: red' s3://sc-box/big >/dev/null; s info s3://sc-box/big | grep 'x-amz-meta-colour: red' >/dev/null
s multipart s3://sc-box >/dev/null
s del -r -f s3://sc-box >/dev/null; s rb s3://sc-box >/dev/null

# restic: a backup, read again, thinned out.
export RESTIC_PASSWORD=secret RESTIC_REPOSITORY=s3:$S3/backup RESTIC_CACHE_DIR=$1/restic/cache AWS_DEFAULT_REGION=regionone
restic -q init; restic -q backup rclone; restic -q backup rclone tree; restic -q check --read-data
restic snapshots --json | grep '"id"' >/dev/null; restic -q restore latest --target restic/back
diff -r rclone restic/back$1/rclone 2>/dev/null || diff -r rclone restic/back/rclone
restic -q forget --keep-last 1 --prune; restic -q check
s del -r -f s3://backup >/dev/null; s rb s3://backup >/dev/null
