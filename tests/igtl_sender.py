"""OpenIGTLink servers for tests: raw messages of any kind, and the protocol's own C++ library."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import numpy as np

HEADER = struct.Struct(">H12s20sIIQQ")
SENDER = """
#include <igtlImageMessage.h>
#include <igtlMessageHeader.h>
#include <igtlServerSocket.h>
#include <igtlTimeStamp.h>
#include <igtlOSUtil.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
int main(int, char** arguments) {
  int port = atoi(arguments[1]);
  igtl::ServerSocket::Pointer server = igtl::ServerSocket::New();
  if (server->CreateServer(port) < 0) return 1;
  puts("ready"); fflush(stdout);
  igtl::ClientSocket::Pointer client = server->WaitForConnection(20000);
  if (client.IsNull()) return 2;
  for (int number = 0; number < 200; ++number) {
    igtl::ImageMessage::Pointer image = igtl::ImageMessage::New();
    int size[] = {64, 48, 1}, whole[] = {0, 0, 0};
    float depth = number < 10 ? 0.1f : 0.25f;  // depth changes: pixels are larger from here on
    float spacing[] = {depth, 2 * depth, 1.0f};
    image->SetDimensions(size);
    image->SetSpacing(spacing);
    image->SetScalarType(igtl::ImageMessage::TYPE_UINT8);
    image->SetNumComponents(number % 2 ? 3 : 1);
    image->SetDeviceName("Image_Reference");
    image->SetSubVolume(size, whole);
    image->AllocateScalars();
    memset(image->GetScalarPointer(), number, image->GetImageSize());
    igtl::Matrix4x4 matrix;  // a tilted probe: the spacing is the length of the columns, not their diagonal
    igtl::IdentityMatrix(matrix);
    matrix[0][0] = 0.6f; matrix[1][0] = 0.8f; matrix[0][1] = -0.8f; matrix[1][1] = 0.6f;
    image->SetMatrix(matrix);
    igtl::TimeStamp::Pointer now = igtl::TimeStamp::New();
    now->GetTime();
    image->SetTimeStamp(now);
    image->Pack();
    if (!client->Send(image->GetPackPointer(), image->GetPackSize())) return 0;
    igtl::Sleep(10);
  }
  return 0;
}
"""
"""A sender made with Debian's libopenigtlink-dev, which speaks version 1: grey and RGB in turn, with a spacing that
changes."""


def build_sender(folder: Path) -> Path | None:
    """Compile the C++ sender; None where the library or a compiler is not installed."""
    headers = next(Path("/usr/include").glob("**/igtlImageMessage.h"), None)
    if headers is None or shutil.which("g++") is None:
        return None
    (folder / "sender.cc").write_text(SENDER)
    program = folder / "sender"
    command = ["g++", "-w", "-o", program, folder / "sender.cc", "-I", headers.parent, "-lOpenIGTLink", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def message(kind: str, device: str, body: bytes, sent_s: float = 0.0, version: int = 1) -> bytes:
    """Any message; ``sent_s``: the sender's clock, 0: none."""
    seconds, fraction = int(sent_s), int((sent_s % 1) * (1 << 32))
    return HEADER.pack(version, kind.encode(), device.encode(), seconds, fraction, len(body), 0) + body


def image_body(pixels: np.ndarray, spacing: tuple[float, float] = (0.1, 0.2), **changes: int) -> bytes:
    """Body of an IMAGE message of (H, W) or (H, W, 3) pixels; ``changes``: what of its header is to be otherwise."""
    height, width = pixels.shape[:2]
    components = 1 if pixels.ndim == 2 else pixels.shape[2]
    fields = {"components": components, "scalar": 3, "depth": 1, "width": width, "height": height, "start": 0} | changes
    matrix = (spacing[0], 0, 0, 0, spacing[1], 0, 0, 0, 1, 0, 0, 0)
    head = struct.pack(
        ">HBBBBHHH12fHHHHHH", 1, fields["components"], fields["scalar"], 2, 2,
        fields["width"], fields["height"], fields["depth"], *matrix,
        fields["start"], 0, 0, fields["width"], fields["height"], fields["depth"],
    )  # fmt: skip
    return head + pixels.tobytes()


def image(number: int, device: str = "Image", spacing: tuple[float, float] = (0.1, 0.2), sent_s: float = 0.0) -> bytes:
    """IMAGE message of a grey picture of 64 x 48 pixels whose brightness is its number."""
    return message("IMAGE", device, image_body(np.full((48, 64), number % 256, np.uint8), spacing), sent_s)


class IgtlServer:
    """Server that sends one connection after another what it is told, with a pause between messages."""

    def __init__(self, *connections: list[bytes], pause_s: float = 0.005, stay: bool = True) -> None:
        """``stay``: False: a connection is closed behind its last message, else it stays open and silent."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._pause_s, self._stay = pause_s, stay
        self._connections = connections
        self._open: list[socket.socket] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all connections and the server."""
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()

    def _serve(self) -> None:
        for messages in self._connections:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            try:
                for data in messages:
                    connection.sendall(data)
                    if self._ended.wait(self._pause_s):
                        return
            except OSError:
                continue
            if not self._stay:
                time.sleep(0.05)
                connection.close()
