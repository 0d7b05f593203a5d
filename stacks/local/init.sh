#!/bin/sh
# SPDX-License-Identifier: MIT
# What a local host starts instead of systemd itself, which it then becomes.
# podman's user namespaces need a /sys without the mounts nspawn puts below it. Once units run there is no moment for
# that: they would lose their control groups meanwhile. Read-only, because to systemd-networkd a writable /sys means
# that udev is there, and it would wait for it for ever.
set -eu
mkdir -p /run/suite-cgroup
mount --bind /sys/fs/cgroup /run/suite-cgroup
mount --make-rprivate /
umount --recursive --lazy /sys
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs /sys
mount --bind /run/suite-cgroup /sys/fs/cgroup
umount /run/suite-cgroup
rmdir /run/suite-cgroup
exec /usr/lib/systemd/systemd
