using Appliance.Supervisor.Access;
using Appliance.Supervisor.Bus;

namespace Appliance.Supervisor.Service;

/// <summary>The members of <c>io.appliance.Supervisor1</c> that are about who may change things through the page.</summary>
internal sealed class AccessInterface(OwnerAccess access)
{
    /// <summary>The methods. They are methods and not a property: anybody on the device may read properties.</summary>
    public IReadOnlyList<BusMethod> Methods =>
    [
        new("SetupCode", "", "s", ["code"], _ => [access.SetupCode ?? ""]),
        new("ResetAccess", "", "s", ["code"], _ => [access.Reset()]),
    ];
}
