//! The socket's file. Paths go through the directory's descriptor, since the path of a
//! Unix socket has room for 107 bytes and that of a data directory may be longer.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::exit::Failure;

const NAME: &str = "control.sock";
/// Commands that wait for their turn.
const BACKLOG: i32 = 16;

/// The socket of a box that has its data directory; commands that come wait. Dropping it
/// removes the file.
#[derive(Debug)]
pub(crate) struct ControlSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Makes the socket, in place of one that a killed box left: whoever calls has the
    /// directory's lock.
    pub(crate) fn bind(data: &Path) -> Result<Self, Failure> {
        let path = data.join(NAME);
        let listener = bind(data, &path).map_err(|error| {
            let path = path.display();
            Failure::new(format_args!("cannot make the control socket {path}: {error}"))
        })?;
        Ok(Self { listener, path })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // One that stays is replaced at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

fn bind(data: &Path, path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "another file has its name"));
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let directory = File::open(data)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(through(&directory))?)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connects to the box that serves a data directory, if there is one.
pub(super) fn connect(data: &Path) -> io::Result<Option<UnixStream>> {
    let stream = File::open(data).and_then(|directory| UnixStream::connect(through(&directory)));
    match stream {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if is_nobody(error.kind()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// No directory, no socket, or one that a killed box left.
fn is_nobody(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused)
}

fn through(directory: &File) -> PathBuf {
    format!("/proc/self/fd/{}/{NAME}", directory.as_raw_fd()).into()
}
