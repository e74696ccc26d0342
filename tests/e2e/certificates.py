"""The authority of a cluster and the certificates of its nodes, as diag cert makes them, for nodes and for ssl."""
import ssl
import subprocess


class Authority:
    """diag: the program; directory: one that is still to be made"""

    def __init__(self, diag, directory, cluster="test"):
        self._diag, self._directory = diag, directory
        self._cert("ca", "--cluster", cluster)
        self.certificate = directory / "ca.pem"

    def _cert(self, verb, *words):
        subprocess.run([self._diag, "cert", verb, *words, "--directory", self._directory], check=True,
                       capture_output=True, text=True)

    def issue(self, directory, name, role, *addresses):
        """Make a directory with what one node needs: ca.pem, node.pem, node.key."""
        directory.parent.mkdir(parents=True, exist_ok=True)
        words = [word for address in addresses for word in ("--address", address)]
        self._cert("node", name, "--role", role, *words, "--output", directory)

    def context(self, directory=None):
        """For a client: trusts this authority and, with what issue() has made, says who it is."""
        context = ssl.create_default_context(cafile=self.certificate)
        if directory:
            context.load_cert_chain(directory / "node.pem", directory / "node.key")
        return context
