# SPDX-License-Identifier: Apache-2.0
"""What is here, once through."""
import hashlib, io, os, sys, urllib.request, urllib.error
import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

ENDPOINT = "http://" + sys.argv[1]

def client(who="MEMBER", **config):
    return boto3.client("s3", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id=who,
                        aws_secret_access_key="secret-of-" + who,
                        config=Config(signature_version="s3v4", retries={"max_attempts": 1}, s3={"addressing_style": "path"}, **config))

def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error.response
        return error.response
    raise AssertionError(f"{code} was expected")

s3 = client()
s3.create_bucket(Bucket="photos")
refused("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket="photos")
assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["photos"]
s3.head_bucket(Bucket="photos")
refused("404", s3.head_bucket, Bucket="nothing-here")
assert s3.get_bucket_location(Bucket="photos")["LocationConstraint"] == "regionone"
assert "Status" not in s3.get_bucket_versioning(Bucket="photos")
refused("NotImplemented", s3.get_bucket_policy, Bucket="photos")
for name in ["get_bucket_lifecycle_configuration", "get_bucket_cors", "get_bucket_website", "get_bucket_encryption"]:
    refused("NotImplemented", getattr(s3, name), Bucket="photos")
grants = s3.get_bucket_acl(Bucket="photos")["Grants"]
assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL"], grants
s3.put_bucket_acl(Bucket="photos", ACL="private")
refused("NotImplemented", s3.put_bucket_acl, Bucket="photos", ACL="public-read")
assert s3.get_bucket_tagging(Bucket="photos")["TagSet"] == []
refused("NotImplemented", s3.put_bucket_tagging, Bucket="photos", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
refused("NotImplemented", s3.put_bucket_versioning, Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
refused("NoSuchBucket", s3.get_bucket_acl, Bucket="nothing-here")
refused("NotImplemented", s3.put_object, Bucket="photos", Key="x", Body=b"", ACL="public-read")
refused("NotImplemented", s3.put_object, Bucket="photos", Key="x", Body=b"", ServerSideEncryption="AES256")

# Small and large, with what is said of them, in each way that bodies come.
bodies = {"empty": b"", "small": b"hello", "a b/ü+%26~": os.urandom(20_000), "large": os.urandom(9_500_000)}
for algorithm in [None, "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
    extra = {"ChecksumAlgorithm": algorithm} if algorithm and algorithm not in ("CRC32C", "CRC64NVME") else {}
    for key, body in bodies.items():
        put = s3.put_object(Bucket="photos", Key=key, Body=io.BytesIO(body), ContentType="text/x-test", CacheControl="max-age=1",
                            Metadata={"colour": "red"}, **extra)
        assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"', put
        got = s3.get_object(Bucket="photos", Key=key)
        assert got["Body"].read() == body
        assert (got["ContentType"], got["CacheControl"], got["Metadata"], got["ContentLength"]) == (
            "text/x-test", "max-age=1", {"colour": "red"}, len(body)), got
        head = s3.head_object(Bucket="photos", Key=key)
        assert (head["ETag"], head["ContentLength"], head["Metadata"]) == (put["ETag"], len(body), {"colour": "red"})
signed = client(request_checksum_calculation="when_required")
signed.put_object(Bucket="photos", Key="signed-payload", Body=b"x" * 70_000)
refused("BadDigest", signed.put_object, Bucket="photos", Key="wrong", Body=b"x", ContentMD5=
        __import__("base64").b64encode(hashlib.md5(b"y").digest()).decode())
refused("NoSuchKey", s3.get_object, Bucket="photos", Key="wrong")

# Parts of objects, and conditions.
large = bodies["large"]
for spec, part in [("bytes=0-9", large[:10]), ("bytes=-7", large[-7:]), ("bytes=9000000-", large[9_000_000:])]:
    got = s3.get_object(Bucket="photos", Key="large", Range=spec)
    assert got["Body"].read() == part and got["ResponseMetadata"]["HTTPStatusCode"] == 206, spec
assert got["ContentRange"] == "bytes 9000000-9499999/9500000"
refused("InvalidRange", s3.get_object, Bucket="photos", Key="large", Range="bytes=99999999-")
etag = s3.head_object(Bucket="photos", Key="small")["ETag"]
refused("304", s3.get_object, Bucket="photos", Key="small", IfNoneMatch=etag)
refused("PreconditionFailed", s3.get_object, Bucket="photos", Key="small", IfMatch='"other"')
s3.get_object(Bucket="photos", Key="small", IfMatch=etag)
refused("PreconditionFailed", s3.put_object, Bucket="photos", Key="small", Body=b"", IfNoneMatch="*")
s3.put_object(Bucket="photos", Key="once", Body=b"1", IfNoneMatch="*")
refused("NotImplemented", s3.put_object, Bucket="photos", Key="small", Body=b"", IfMatch=etag)
refused("NoSuchBucket", s3.put_object, Bucket="nothing-here", Key="x", Body=b"")
refused("NoSuchBucket", s3.get_object, Bucket="nothing-here", Key="x")

# Copies.
s3.create_bucket(Bucket="second")
s3.copy_object(Bucket="second", Key="copy", CopySource={"Bucket": "photos", "Key": "a b/ü+%26~"})
got = s3.get_object(Bucket="second", Key="copy")
assert got["Body"].read() == bodies["a b/ü+%26~"] and got["Metadata"] == {"colour": "red"}
s3.copy_object(Bucket="second", Key="copy", CopySource="second/copy", MetadataDirective="REPLACE", Metadata={"n": "1"})
assert s3.head_object(Bucket="second", Key="copy")["Metadata"] == {"n": "1"}
refused("InvalidRequest", s3.copy_object, Bucket="second", Key="copy", CopySource="second/copy")
refused("NoSuchKey", s3.copy_object, Bucket="second", Key="copy", CopySource="second/nothing")

# Addresses that are signed.
url = s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "small"}, ExpiresIn=60)
assert urllib.request.urlopen(url).read() == b"hello"
url = s3.generate_presigned_url("put_object", Params={"Bucket": "photos", "Key": "by-address"}, ExpiresIn=60)
urllib.request.urlopen(urllib.request.Request(url, data=b"put", method="PUT"))
assert s3.get_object(Bucket="photos", Key="by-address")["Body"].read() == b"put"
# Pages of other sites, as the owner says in Swift's words.
swift = f"http://{sys.argv[2]}/object-store/v1/AUTH_demo/photos"
say = urllib.request.Request(swift, method="POST", headers={"X-Auth-Token": "member@demo/ada", "X-Container-Read": ".r:*",
    "X-Container-Meta-Access-Control-Allow-Origin": "https://site.test"})
assert urllib.request.urlopen(say).status == 204
def page(origin, method, address=url, **headers):
    try:
        return urllib.request.urlopen(urllib.request.Request(address, method=method, headers={"Origin": origin, **headers})).headers
    except urllib.error.HTTPError as error:
        return error.headers
asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
may = page("https://site.test", "OPTIONS", **asks)
assert (may["Access-Control-Allow-Origin"], may["Access-Control-Allow-Headers"]) == ("https://site.test", "content-type"), may
assert page("https://evil.test", "OPTIONS", **asks)["Access-Control-Allow-Origin"] is None
assert page("https://site.test", "OPTIONS", address=ENDPOINT + "/photos/small", **asks)["Access-Control-Allow-Origin"] is None
read = s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "small"}, ExpiresIn=60)
assert page("https://site.test", "GET", address=read)["Access-Control-Allow-Origin"] == "https://site.test"
assert page("https://evil.test", "GET", address=read)["Access-Control-Allow-Origin"] is None
grants = s3.get_object_acl(Bucket="photos", Key="small")["Grants"]
assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL", "READ"], grants
# A bucket named before the host.
by_host = boto3.client("s3", endpoint_url="http://s3.test", region_name="us-east-1", aws_access_key_id="MEMBER",
                       aws_secret_access_key="secret-of-MEMBER", config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}))
url = by_host.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "small"}, ExpiresIn=60)
assert url.startswith("http://photos.s3.test/small?"), url
request = urllib.request.Request(url.replace("http://photos.s3.test", ENDPOINT), headers={"Host": "photos.s3.test"})
assert urllib.request.urlopen(request).read() == b"hello"

# Lists.
s3.create_bucket(Bucket="list")
names = [f"d{d}/{n:03}" for d in range(3) for n in range(40)] + ["top", "a&b<c>", "tab\there"]
for name in names:
    s3.put_object(Bucket="list", Key=name, Body=b"12")
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="list", PaginationConfig={"PageSize": 7}))
assert [o["Key"] for page in pages for o in page.get("Contents", [])] == sorted(names)
pages = list(s3.get_paginator("list_objects").paginate(Bucket="list", PaginationConfig={"PageSize": 50}))
assert [o["Key"] for page in pages for o in page.get("Contents", [])] == sorted(names)
pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="list", Delimiter="/", PaginationConfig={"PageSize": 2}))
assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["d0/", "d1/", "d2/"]
assert [o["Key"] for page in pages for o in page.get("Contents", [])] == ["a&b<c>", "tab\there", "top"]
page = s3.list_objects_v2(Bucket="list", Prefix="d1/", StartAfter="d1/037")
assert [o["Key"] for o in page["Contents"]] == ["d1/038", "d1/039"] and page["Contents"][0]["Size"] == 2

# Deleting.
refused("BucketNotEmpty", s3.delete_bucket, Bucket="list")
gone = s3.delete_objects(Bucket="list", Delete={"Objects": [{"Key": name} for name in names + ["never-there"]]})
assert len(gone["Deleted"]) == len(names) + 1 and not gone.get("Errors")
s3.delete_object(Bucket="list", Key="never-there")
s3.delete_bucket(Bucket="list")
refused("NoSuchBucket", s3.delete_bucket, Bucket="list")
