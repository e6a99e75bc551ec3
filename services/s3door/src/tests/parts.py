# SPDX-License-Identifier: Apache-2.0
"""Objects that come in parts."""
import hashlib, io, os, sys
import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3", endpoint_url="http://" + sys.argv[1], region_name="us-east-1", aws_access_key_id="MEMBER",
                  aws_secret_access_key="secret-of-MEMBER", config=Config(retries={"max_attempts": 1}))

def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return
    raise AssertionError(f"{code} was expected")

MIB = 1 << 20
s3.create_bucket(Bucket="parts")
here = {"Bucket": "parts", "Key": "large"}

# As the client does it by itself.
body = os.urandom(14 * MIB + 5)
s3.upload_fileobj(io.BytesIO(body), "parts", "by-itself", Config=TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB))
got = io.BytesIO()
s3.download_fileobj("parts", "by-itself", got)
assert got.getvalue() == body
sums = b"".join(hashlib.md5(body[at:at + 5 * MIB]).digest() for at in range(0, len(body), 5 * MIB))
assert s3.head_object(Bucket="parts", Key="by-itself")["ETag"] == f'"{hashlib.md5(sums).hexdigest()}-3"'

# Step by step: a part is replaced, one is left out, one is copied, one is short.
upload = s3.create_multipart_upload(**here, ContentType="text/x-parts", Metadata={"a": "b"})["UploadId"]
first, second, tail = os.urandom(5 * MIB), os.urandom(6 * MIB), b"the end"
s3.upload_part(**here, UploadId=upload, PartNumber=1, Body=os.urandom(5 * MIB))
tags = {1: s3.upload_part(**here, UploadId=upload, PartNumber=1, Body=first)["ETag"]}
tags[3] = s3.upload_part(**here, UploadId=upload, PartNumber=3, Body=second)["ETag"]
s3.upload_part(**here, UploadId=upload, PartNumber=5, Body=os.urandom(100))
copied = s3.upload_part_copy(**here, UploadId=upload, PartNumber=7, CopySource="parts/by-itself", CopySourceRange=f"bytes=0-{5 * MIB - 1}")
tags[7] = copied["CopyPartResult"]["ETag"]
tags[9] = s3.upload_part(**here, UploadId=upload, PartNumber=9, Body=tail)["ETag"]
assert [part["PartNumber"] for part in s3.list_parts(**here, UploadId=upload)["Parts"]] == [1, 3, 5, 7, 9]
page = s3.list_parts(**here, UploadId=upload, MaxParts=2)
assert page["IsTruncated"] and page["NextPartNumberMarker"] == 3
assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket="parts")["Uploads"]] == [upload]

def complete(numbers, **changed):
    parts = [{"PartNumber": number, "ETag": changed.get("tag") or tags[number]} for number in numbers]
    return s3.complete_multipart_upload(**here, UploadId=changed.get("upload", upload), MultipartUpload={"Parts": parts})

refused("InvalidPartOrder", complete, numbers=[3, 1])
refused("InvalidPart", complete, numbers=[1], tag='"00000000000000000000000000000000"')
done = complete([1, 3, 7, 9])
assert done["ETag"].endswith('-4"'), done
got = s3.get_object(**here)
assert got["Body"].read() == first + second + body[:5 * MIB] + tail
assert (got["ContentType"], got["Metadata"]) == ("text/x-parts", {"a": "b"})
assert s3.get_object(**here, Range=f"bytes={5 * MIB - 2}-{5 * MIB + 1}")["Body"].read() == first[-2:] + second[:2]
refused("NoSuchUpload", complete, numbers=[1, 3, 7, 9])

# A short part in the middle is not taken.
upload = s3.create_multipart_upload(**here)["UploadId"]
for number in (1, 2):
    tags[number] = s3.upload_part(**here, UploadId=upload, PartNumber=number, Body=b"short")["ETag"]
refused("EntityTooSmall", complete, numbers=[1, 2], upload=upload)

# What is aborted is gone; so is what waits in a bucket that goes.
s3.abort_multipart_upload(**here, UploadId=upload)
refused("NoSuchUpload", s3.upload_part, **here, UploadId=upload, PartNumber=1, Body=b"")
refused("NoSuchUpload", s3.abort_multipart_upload, **here, UploadId=upload)
upload = s3.create_multipart_upload(**here)["UploadId"]
s3.upload_part(**here, UploadId=upload, PartNumber=1, Body=os.urandom(6 * MIB))
# The key belongs to the upload.
refused("NoSuchUpload", s3.upload_part, Bucket="parts", Key="another", UploadId=upload, PartNumber=1, Body=b"")
for key in ("large", "by-itself"):
    s3.delete_object(Bucket="parts", Key=key)
s3.delete_bucket(Bucket="parts")
