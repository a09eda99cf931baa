"""A server on loopback that speaks the protocol of S3."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

SECRET = "not-to-be-shown"


@contextmanager
def s3() -> Iterator[Mapping[str, str]]:
    """Serves until the block ends; gives the variables through which every client finds the server."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_CONFIG_FILE": "/no/such/file",
            "AWS_SHARED_CREDENTIALS_FILE": "/no/such/file",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        }
    finally:
        server.stop()


def make_bucket(variables: Mapping[str, str], name: str) -> None:
    """An empty bucket."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": client.meta.region_name})
    client.close()
