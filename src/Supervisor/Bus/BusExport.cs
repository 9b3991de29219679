using System.Runtime.InteropServices;

namespace Appliance.Supervisor.Bus;

/// <summary>An exported interface: what sd-bus holds on to as long as it is there.</summary>
internal sealed record BusExport(nint Slot, nint Table, GCHandle Handle, IReadOnlyList<nint> Texts);
