# SPDX-License-Identifier: Apache-2.0
"""An S3 service for a test: moto's, on loopback, which checks each signature with Amazon's own library.

Says one line of JSON about itself, and ends when its standard input does.
"""

import json
import sys

import boto3
import requests
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
endpoint = f"http://{host}:{port}"

# Until a user is there, anybody may do anything.
anybody = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1", "endpoint_url": endpoint}
iam = boto3.client("iam", **anybody)
iam.create_user(UserName="images")
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
iam.put_user_policy(UserName="images", PolicyName="all", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="images")["AccessKey"]
boto3.client("s3", **anybody).create_bucket(Bucket="images")
requests.post(f"{endpoint}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()

print(json.dumps({"endpoint": endpoint, "access": key["AccessKeyId"], "secret": key["SecretAccessKey"]}), flush=True)
sys.stdin.read()
