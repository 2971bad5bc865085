"""Put this folder on PYTHONPATH, and Python programs reach no other machine: only loopback is left."""

import socket

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo


def _refuse(host):
    if isinstance(host, bytes):
        host = host.decode()
    if host and host not in LOOPBACK:
        raise OSError(f"the network is blocked in this test: {host}")


def _checked(connect):
    def checked(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _refuse(address[0])
        return connect(self, address)

    return checked


def _lookup(host, *rest, **options):
    _refuse(host)
    return _getaddrinfo(host, *rest, **options)


socket.socket.connect, socket.socket.connect_ex = _checked(_connect), _checked(_connect_ex)
socket.getaddrinfo = _lookup
