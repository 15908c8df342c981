/*
 * unix.c - sockets that have a path: the socket of a door and the control socket.
 *
 * The file is created with its final mode (by the umask, so no path is
 * resolved twice) and gets its owner before listen(2): earlier connections
 * are refused. A file left by a daemon that has ended is replaced only
 * when connect(2) to it is refused.
 */
#include "daemon_private.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool unix_address(const char *path, struct sockaddr_un *address_r)
{
	size_t n = strlen(path);

	if (n == 0 || n >= sizeof(address_r->sun_path))
		return false;
	memset(address_r, 0, sizeof(*address_r));
	address_r->sun_family = AF_UNIX;
	memcpy(address_r->sun_path, path, n + 1);
	return true;
}

int unix_connect(const char *path)
{
	struct sockaddr_un address;
	int fd, saved;

	if (!unix_address(path, &address)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Removes a file that nobody listens on. */
static int unix_remove_stale(const char *path, struct error *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0)
		return 0; /* bind(2) reports the error */
	if (!S_ISSOCK(st.st_mode)) {
		error_set(err, "%s exists and is not a socket; remove it or name another path", path);
		return -1;
	}
	fd = unix_connect(path);
	/* EAGAIN: somebody listens but is busy (unix(7)) */
	if (fd >= 0 || errno == EAGAIN) {
		if (fd >= 0)
			close(fd);
		error_set(err,
			  "%s: another process listens on this socket; is sekisho running already? daemon --take-over "
			  "takes its place",
			  path);
		return -1;
	}
	if (errno != ECONNREFUSED) {
		error_set(err, "%s: cannot tell whether this socket is in use: %s; remove it if it is not", path,
			  strerror(errno));
		return -1;
	}
	if (unlink(path) != 0 && errno != ENOENT) {
		error_set(err, "%s: cannot remove the socket of a process that has ended: %s", path, strerror(errno));
		return -1;
	}
	return 0;
}

static void unix_bind_error(const char *path, int number, struct error *err)
{
	char copy[UNIX_PATH_MAX];

	memcpy(copy, path, strlen(path) + 1); /* unix_address has checked that it fits */
	if (number == ENOENT)
		error_set(err, "%s: the directory %s does not exist; create it for the user of sekisho", path,
			  dirname(copy));
	else if (number == EACCES)
		error_set(err, "%s: no permission to create a socket in %s", path, dirname(copy));
	else
		error_set(err, "%s: cannot bind: %s", path, strerror(number));
}

/* bind(2) creates the file with the mode that the umask leaves. Called before any thread runs. */
static int unix_bind(int fd, const struct sockaddr_un *address, mode_t mode, struct error *err)
{
	mode_t old;
	int result;

	if (unix_remove_stale(address->sun_path, err) != 0)
		return -1;
	old = umask(~mode & 0777);
	result = bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
	umask(old);
	if (result != 0)
		unix_bind_error(address->sun_path, result, err);
	return result == 0 ? 0 : -1;
}

static int unix_own(struct unix_socket *made, uid_t uid, gid_t gid, struct error *err)
{
	struct stat st;

	if (lstat(made->path, &st) != 0) {
		error_set(err, "%s: %s", made->path, strerror(errno));
		return -1;
	}
	made->device = st.st_dev;
	made->inode = st.st_ino;
	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	if (fchownat(AT_FDCWD, made->path, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
		error_set(err, "%s: cannot give the socket to its group or user: %s%s", made->path, strerror(errno),
			  errno == EPERM
			      ? "; start as root, or make the user of sekisho a member of the group (usermod -aG "
				"GROUP USER)"
			      : "");
		return -1;
	}
	return 0;
}

int unix_listen(const char *path, mode_t mode, uid_t uid, gid_t gid, struct unix_socket *socket_r, struct error *err)
{
	struct sockaddr_un address;

	memset(socket_r, 0, sizeof(*socket_r));
	socket_r->fd = -1;
	if (!unix_address(path, &address)) {
		error_set(err, "%s: a socket path can have at most %zu bytes", path, UNIX_PATH_MAX - 1);
		return -1;
	}
	socket_r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (socket_r->fd < 0) {
		error_set(err, "%s: cannot create a socket: %s", path, strerror(errno));
		return -1;
	}
	if (unix_bind(socket_r->fd, &address, mode, err) != 0)
		goto failed;
	memcpy(socket_r->path, path, strlen(path) + 1);
	if (unix_own(socket_r, uid, gid, err) != 0)
		goto failed;
	if (listen(socket_r->fd, DOOR_BACKLOG) != 0) {
		error_set(err, "%s: cannot listen: %s", path, strerror(errno));
		goto failed;
	}
	return 0;
failed:
	unix_remove(socket_r);
	close(socket_r->fd);
	socket_r->fd = -1;
	return -1;
}

bool unix_adopt(const char *path, int fd, struct unix_socket *socket_r)
{
	struct sockaddr_un wanted, bound = {.sun_family = AF_UNSPEC};
	socklen_t n = sizeof(bound);
	struct stat st;

	memset(socket_r, 0, sizeof(*socket_r));
	socket_r->fd = -1;
	if (!unix_address(path, &wanted) || getsockname(fd, (struct sockaddr *)&bound, &n) != 0 ||
	    bound.sun_family != AF_UNIX || strncmp(bound.sun_path, path, sizeof(bound.sun_path)) != 0 ||
	    lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	memcpy(socket_r->path, path, strlen(path) + 1);
	socket_r->device = st.st_dev;
	socket_r->inode = st.st_ino;
	socket_r->fd = fd;
	socket_r->lent = true;
	return true;
}

/* Linux has no fchmod(2) for the file of a socket; the descriptor of the path makes sure that it is ours. */
int unix_mode(const struct unix_socket *made, mode_t mode, struct error *err)
{
	int fd = open(made->path, O_PATH | O_NOFOLLOW | O_CLOEXEC), result = -1;
	char name[64];
	struct stat st;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == made->device && st.st_ino == made->inode)
		result = (st.st_mode & 0777) == mode ? 0 : chmod(name, mode);
	if (result != 0)
		error_set(err, "%s: cannot change its mode to %04o: %s", made->path, (unsigned)mode, strerror(errno));
	if (fd >= 0)
		close(fd);
	return result;
}

void unix_forget(struct unix_socket *made)
{
	made->path[0] = '\0';
}

void unix_remove(struct unix_socket *made)
{
	struct stat st;

	if (made->path[0] && !made->lent && lstat(made->path, &st) == 0 && st.st_dev == made->device &&
	    st.st_ino == made->inode)
		unlink(made->path);
	made->path[0] = '\0';
}
