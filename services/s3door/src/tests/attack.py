# SPDX-License-Identifier: Apache-2.0
"""What must not work."""
import base64, datetime, hashlib, socket, sys, time, urllib.error, urllib.request
import boto3, botocore.auth, botocore.awsrequest, botocore.credentials
from botocore.client import Config
from botocore.exceptions import ClientError

ADDRESS = sys.argv[1]
ENDPOINT = "http://" + ADDRESS

def client(who="MEMBER", secret=None):
    return boto3.client("s3", endpoint_url=ENDPOINT, region_name="us-east-1", aws_access_key_id=who,
                        aws_secret_access_key=secret or "secret-of-" + who, config=Config(signature_version="s3v4", retries={"max_attempts": 1}))

def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in code.split("|"), error.response
        return
    raise AssertionError(f"{code} was expected")

def status(url, method="GET", data=None, headers={}):
    try:
        return urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers)).status
    except urllib.error.HTTPError as error:
        return error.code

mine = client()
mine.create_bucket(Bucket="mine")
mine.put_object(Bucket="mine", Key="secret", Body=b"mine")

# Keys that are none, secrets that are wrong, and nobody.
refused("InvalidAccessKeyId", client("NOBODY").list_buckets)
refused("SignatureDoesNotMatch", client(secret="guess").list_buckets)
assert status(ENDPOINT + "/") == 403 and status(ENDPOINT + "/mine/secret") == 403
assert status(ENDPOINT + "/mine/secret", "PUT", b"x") == 403
assert status(ENDPOINT + "/mine/secret", headers={"Authorization": "AWS MEMBER:abc"}) == 400
assert status(ENDPOINT + "/mine/secret?AWSAccessKeyId=MEMBER&Signature=x&Expires=9999999999") == 400

# A signed address is good for what was signed, and for no longer.
url = mine.generate_presigned_url("get_object", Params={"Bucket": "mine", "Key": "secret"}, ExpiresIn=1)
assert status(url) == 200
assert status(url.replace("/secret?", "/other?")) == 403
assert status(url, "DELETE") == 403
assert status(url.replace("Expires=1", "Expires=9")) == 403
time.sleep(2.1)
assert status(url) == 403

# A clock that is wrong.
was = getattr(botocore.auth, "get_current_datetime", None)
if was:
    botocore.auth.get_current_datetime = lambda *arguments, **named: was(*arguments, **named) - datetime.timedelta(hours=1)
    refused("RequestTimeTooSkewed", client().list_buckets)
    botocore.auth.get_current_datetime = was

# Another tenant has buckets of his own, also of this name, and sees none of these.
other = client("OTHER")
assert other.list_buckets()["Buckets"] == []
refused("NoSuchBucket", other.get_object, Bucket="mine", Key="secret")
refused("NoSuchBucket", other.put_object, Bucket="mine", Key="x", Body=b"")
upload = mine.create_multipart_upload(Bucket="mine", Key="parts")["UploadId"]
refused("NoSuchBucket", other.upload_part, Bucket="mine", Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
other.create_bucket(Bucket="mine")
refused("NoSuchUpload", other.upload_part, Bucket="mine", Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
refused("NoSuchUpload", other.complete_multipart_upload, Bucket="mine", Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "x"}]})
refused("NoSuchKey", other.copy_object, Bucket="mine", Key="stolen", CopySource="mine/secret")
mine.abort_multipart_upload(Bucket="mine", Key="parts", UploadId=upload)

# Who may only read, only reads.
reader = client("READER")
assert reader.get_object(Bucket="mine", Key="secret")["Body"].read() == b"mine"
refused("AccessDenied", reader.put_object, Bucket="mine", Key="x", Body=b"")
refused("AccessDenied", reader.delete_object, Bucket="mine", Key="secret")
refused("AccessDenied", reader.create_bucket, Bucket="his-own")
refused("AccessDenied", reader.create_multipart_upload, Bucket="mine", Key="x")

# Names are data.
for key in ["../../x", "..", "a/../b", "//", "x?y#z", "%2e%2e/", "a\nb"]:
    mine.put_object(Bucket="mine", Key=key, Body=key.encode())
    assert mine.get_object(Bucket="mine", Key=key)["Body"].read() == key.encode(), key
    mine.delete_object(Bucket="mine", Key=key)
refused("InvalidBucketName|InvalidArgument", mine.create_bucket, Bucket="192.168.1.1")
refused("InvalidArgument|KeyTooLongError", mine.put_object, Bucket="mine", Key="k" * 2000, Body=b"")

# An upload that falls silent is cut off, and leaves nothing.
url = mine.generate_presigned_url("put_object", Params={"Bucket": "mine", "Key": "silent"}, ExpiresIn=60)
host, port = ADDRESS.split(":")
silent = socket.create_connection((host, int(port)))
path = url[len(ENDPOINT):]
silent.sendall(f"PUT {path} HTTP/1.1\r\nHost: {ADDRESS}\r\nContent-Length: 1000000\r\n\r\n".encode() + b"x" * 50_000)
begun = time.time()
silent.settimeout(20)
answer = silent.recv(4096)
assert time.time() - begun < 15 and (not answer or b"RequestTimeout" in answer or b"400" in answer or b"408" in answer), answer
refused("NoSuchKey", mine.get_object, Bucket="mine", Key="silent")
mine.delete_object(Bucket="mine", Key="secret")

# Documents: what grows when it is read, what is too long, what is none.
def document(body, path="/mine?delete", method="POST"):
    request = botocore.awsrequest.AWSRequest(method, ENDPOINT + path, data=body, headers={
        "Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode(), "Host": ADDRESS})
    botocore.auth.S3SigV4Auth(botocore.credentials.Credentials("MEMBER", "secret-of-MEMBER"), "s3", "us-east-1").add_auth(request)
    try:
        return status(ENDPOINT + path, method, body, dict(request.headers))
    except (urllib.error.URLError, OSError):
        # What is too long is refused before it is read, and who goes on sending is cut off.
        assert len(body) > 3 << 20
        return 400
mine.put_object(Bucket="mine", Key="kept", Body=b"x")
names = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
bomb = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "kept">{names}]><Delete><Object><Key>&e11;</Key></Object></Delete>'
outside = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>'
deep = "<Delete>" * 100_000
many = "<Delete>" + "<Object><Key>kept</Key></Object>" * 1001 + "</Delete>"
begun = time.time()
for body in [bomb, outside, deep, many, "", "no document", "<Delete><Object>", "<Delete>" + " " * (4 << 20) + "</Delete>"]:
    assert 400 <= document(body.encode()) < 500, body[:100]
assert time.time() - begun < 30
assert mine.get_object(Bucket="mine", Key="kept")["Body"].read() == b"x"
assert document(b"<Delete><Object><Key>kept</Key></Object></Delete>") == 200
refused("NoSuchKey", mine.get_object, Bucket="mine", Key="kept")
assert status(ENDPOINT + "/mine/" + "x" * (17 << 10)) == 414
# Words that would be headers.
for value in ["a\r\nX-Evil: 1", "a\nb"]:
    try:
        mine.put_object(Bucket="mine", Key="words", Body=b"", Metadata={"m": value})
    except Exception:
        continue
    raise AssertionError(value)
