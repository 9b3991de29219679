using Appliance.Core.Workloads;

namespace Appliance.Supervisor.Workloads;

/// <summary>An object of a release and how far it is.</summary>
internal sealed record ObjectStatus(ObjectIdentity Object, Readiness Readiness);
