"""
Tests of signed requests. That S3 takes the signatures, the tests of the store show.
"""

from __future__ import annotations

import os
from urllib.parse import parse_qs, urlsplit

from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.s3signing import Signer, find_credentials, find_region

from .support import ByHand, at_once, deferred


class _Temporary:
    """
    Credentials as botocore has them for a machine's role.
    """

    def __init__(self) -> None:
        self.ended = False
        self.broken = False
        self.renewed = 0

    def refresh_needed(self) -> bool:
        return self.ended

    def get_frozen_credentials(self) -> object:
        if self.broken:
            raise CredentialRetrievalError(provider="role", error_msg="away")
        self.renewed += self.ended
        self.ended = False
        return Credentials("key", "secret", f"token{self.renewed}").get_frozen_credentials()


class SignerTests(SynchronousTestCase):
    """Requests are signed with credentials that are found once and renewed when they end."""

    def test_signs(self) -> None:
        """All headers are signed, and whoever temporary credentials belong to is told."""
        signer = Signer("eu-west-1", at_once, _Temporary)
        headers = self.successResultOf(
            deferred(signer.sign("GET", "https://host/key?a=b", {"Range": "bytes=1-2"}, "digest"))
        )
        self.assertEqual(headers["Range"], "bytes=1-2")
        self.assertEqual(headers["X-Amz-Content-SHA256"], "digest")
        self.assertEqual(headers["X-Amz-Security-Token"], "token0")
        self.assertIn("/eu-west-1/s3/aws4_request", headers["Authorization"])
        self.assertIn("SignedHeaders=host;range;x-amz-content-sha256;", headers["Authorization"])

    def test_waits_in_a_thread(self) -> None:
        """Finding credentials, and renewing them, may wait; both are done in a thread, and nothing else."""
        threads, found = ByHand(), _Temporary()
        signer = Signer("r", threads, lambda: found)
        signing = deferred(signer.sign("GET", "http://host/", {}, "digest"))
        self.assertEqual(len(threads), 1)
        threads.run()
        self.successResultOf(signing)
        self.successResultOf(deferred(signer.sign("GET", "http://host/", {}, "digest")))
        found.ended = True
        signing = deferred(signer.sign("GET", "http://host/", {}, "digest"))
        self.assertEqual((len(threads), found.renewed), (1, 0))
        threads.run()
        self.assertEqual(self.successResultOf(signing)["X-Amz-Security-Token"], "token1")

    def test_can_not_be_renewed(self) -> None:
        """Credentials that can't be renewed make the store unavailable until they can."""
        found = _Temporary()
        signer = Signer("r", at_once, lambda: found)
        found.broken = True
        self.failureResultOf(deferred(signer.sign("GET", "http://host/", {}, "d")), StoreUnavailable)
        found.broken = False
        self.successResultOf(deferred(signer.sign("GET", "http://host/", {}, "d")))

    def test_links(self) -> None:
        """A link lives as long as was asked for, at most a week, and says what the response is to be."""
        signer = Signer("r", at_once, lambda: Credentials("key", "secret"))
        for asked, given in ((60, "60"), (10**9, "604800"), (0, "1")):
            link = signer.link("http://host/key?response-content-type=a%2Fb", asked)
            query = parse_qs(urlsplit(link).query)
            self.assertEqual((query["X-Amz-Expires"], query["response-content-type"]), ([given], ["a/b"]))
            self.assertNotIn("secret", link)

    def nothing_set(self, **more: str) -> None:
        nowhere = self.mktemp()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment |= {
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            **more,
        }
        self.patch(os, "environ", environment)

    def test_no_credentials(self) -> None:
        """Where none are found, that is said."""
        self.nothing_set()
        error = self.assertRaises(StoreUnavailable, find_credentials)
        self.assertIn("AWS_ACCESS_KEY_ID", str(error))

    def test_regions(self) -> None:
        """The region is what AWS tools would take, else the oldest."""
        self.nothing_set()
        self.assertEqual(find_region(), "us-east-1")
        self.nothing_set(AWS_DEFAULT_REGION="eu-west-1")
        self.assertEqual(find_region(), "eu-west-1")
