"""A private authority and the certificates of a cluster's nodes, as a context for ssl needs them, too."""
import shutil
import ssl
import subprocess
from pathlib import Path


class Authority:
    """cluster: its name, which stands in the certificates; directory: where keys and certificates are kept"""

    def __init__(self, directory, cluster="test"):
        self.directory, self.cluster = Path(directory), cluster
        self.directory.mkdir()
        self.certificate = self.directory / "ca.pem"
        self._key = self.directory / "ca.key"
        self._openssl(self.certificate, self._key, f"{cluster} CA",
                      "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")

    @staticmethod
    def _openssl(certificate, key, name, *extensions, more=()):
        words = [word for e in extensions for word in ("-addext", e)]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate, *words, *more],
                       check=True, capture_output=True, text=True)

    def issue(self, directory, name, role, *addresses):
        """Make a directory with what one node needs: ca.pem, node.pem, node.key. Its role is in the certificate."""
        directory.mkdir(parents=True)
        shutil.copy(self.certificate, directory)
        names = [f"URI:diag://{self.cluster}/{role}", *(f"IP:{a}" for a in addresses)]
        self._openssl(directory / "node.pem", directory / "node.key", name, "subjectAltName=" + ",".join(names),
                      "basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth",
                      more=("-CA", self.certificate, "-CAkey", self._key))
        return directory

    def context(self, directory=None):
        """For a client: trusts this authority and, with what issue() has made, says who it is."""
        context = ssl.create_default_context(cafile=self.certificate)
        if directory:
            context.load_cert_chain(directory / "node.pem", directory / "node.key")
        return context
