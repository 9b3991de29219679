#!/usr/bin/python3
"""Answers the calls the supervisor makes to systemd, with no failed unit and no job: a host without systemd on its bus can
then measure the real supervisor. Needs python3-dbus and python3-gi; the bus is DBUS_SESSION_BUS_ADDRESS."""
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

MANAGER = "org.freedesktop.systemd1.Manager"


class Manager(dbus.service.Object):
    @dbus.service.method(MANAGER, in_signature="as", out_signature="a(ssssssouso)")
    def ListUnitsFiltered(self, states):
        return []

    @dbus.service.method(MANAGER, in_signature="as", out_signature="a(ssssssouso)")
    def ListUnitsByNames(self, names):
        return [(n, n, "loaded", "active", "running", "", dbus.ObjectPath("/u"), dbus.UInt32(0), "", dbus.ObjectPath("/")) for n in names]

    @dbus.service.method(MANAGER, out_signature="a(usssoo)")
    def ListJobs(self):
        return []

    @dbus.service.method(MANAGER)
    def Subscribe(self):
        pass


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SessionBus()
manager = Manager(bus, "/org/freedesktop/systemd1")
name = dbus.service.BusName("org.freedesktop.systemd1", bus)
GLib.MainLoop().run()
