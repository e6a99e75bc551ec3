# SPDX-License-Identifier: Apache-2.0
"""One set of objects behind both doors."""
import hashlib, json, sys, urllib.request
import boto3
from botocore.client import Config

s3 = boto3.client("s3", endpoint_url="http://" + sys.argv[1], region_name="us-east-1", aws_access_key_id="MEMBER",
                  aws_secret_access_key="secret-of-MEMBER", config=Config(retries={"max_attempts": 1}))

def swift(method, path, data=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"http://{sys.argv[2]}/object-store/v1/AUTH_demo{path}"
    return urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers={"X-Auth-Token": "member@demo/ada", **headers}))

swift("PUT", "/both")
swift("PUT", "/both/by-swift", b"from swift", X_Object_Meta_Colour="blue", Content_Type="text/x-swift")
got = s3.get_object(Bucket="both", Key="by-swift")
assert got["Body"].read() == b"from swift"
assert (got["Metadata"], got["ContentType"]) == ({"colour": "blue"}, "text/x-swift"), got

body = bytes(range(256)) * 200
s3.put_object(Bucket="both", Key="by-s3", Body=body, Metadata={"size": "L"}, ContentType="text/x-s3")
got = swift("GET", "/both/by-s3")
assert got.read() == body
assert (got.headers["X-Object-Meta-Size"], got.headers["Content-Type"], got.headers["ETag"]) == ("L", "text/x-s3", hashlib.md5(body).hexdigest())

upload = s3.create_multipart_upload(Bucket="both", Key="parts")["UploadId"]
part = b"p" * (5 << 20)
tags = [s3.upload_part(Bucket="both", Key="parts", UploadId=upload, PartNumber=n, Body=part)["ETag"] for n in (1, 2)]
parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
etag = s3.complete_multipart_upload(Bucket="both", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts})["ETag"]
got = swift("GET", "/both/parts")
assert got.read() == part * 2 and got.headers["ETag"] == etag.strip('"')
listed = json.load(swift("GET", "/both?format=json"))
assert {o["name"]: o["bytes"] for o in listed} == {"by-swift": 10, "by-s3": len(body), "parts": 10 << 20}

# A large object of Swift's reads as one.
swift("PUT", "/both/large", b"", X_Object_Manifest="both/by-")
assert s3.get_object(Bucket="both", Key="large")["Body"].read() == body + b"from swift"
swift("PUT", "/Name_of_Swift")
swift("PUT", "/Name_of_Swift/x", b"1")
names = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
assert names == ["Name_of_Swift", "both"], names
assert swift("HEAD", "/both").headers["X-Container-Object-Count"] == "4"
