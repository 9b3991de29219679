using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Fleet;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>The members of <c>io.appliance.Supervisor1</c> that are about the fleet that the device belongs to.</summary>
internal sealed class FleetInterface(FleetAgent agent)
{
    /// <summary>Name of the property that changes with the agent.</summary>
    public const string Changing = "Fleet";

    /// <summary>The methods.</summary>
    public IReadOnlyList<BusMethod> Methods =>
    [
        BusMethod.Slow("JoinFleet", "a{sv}", "", ["options"], arguments => BusErrors.NamedAsync(async () => { await agent.JoinAsync(Request(arguments[0])); return []; })),
        BusMethod.Slow("LeaveFleet", "", "", [], _ => BusErrors.NamedAsync(async () => { await agent.LeaveAsync(); return []; })),
        BusMethod.Slow("ConfirmAssignment", "bs", "", ["agreed", "words"], arguments => BusErrors.NamedAsync(async () => { await agent.ConfirmAsync((bool)arguments[0], BusRequest.Text("words", arguments[1]), CancellationToken.None); return []; })),
    ];

    /// <summary>The property.</summary>
    public BusProperty Property => new(Changing, "a{sv}", () => Bag(agent.Status));

    /// <summary>A status as a bag of members.</summary>
    public static Dictionary<object, object> Bag(FleetStatus status) => BusValues.Bag(
        ("State", Word(status.State)), ("Server", status.Server), ("Device", status.Device), ("Trouble", status.Trouble), ("TroubleSince", status.TroubleSince is { } since ? Moment(since) : null), ("LastContact", status.LastContact is { } contact ? Moment(contact) : null),
        ("CertificateUntil", status.CertificateUntil is { } until ? Moment(until) : null), ("CertificateTrouble", status.CertificateTrouble),
        ("Action", status.Assignment?.Id), ("ActionName", status.Assignment?.Name), ("ActionVersion", status.Assignment?.Version), ("ActionStep", status.Assignment is { } assignment ? Word(assignment.Step) : null), ("ActionWords", status.Assignment?.Words), ("ActionAt", status.Assignment is { } given ? Moment(given.At) : null),
        ("UnconfirmedAction", status.Unconfirmed?.Id), ("UnconfirmedName", status.Unconfirmed?.Name), ("UnconfirmedVersion", status.Unconfirmed?.Version));

    /// <summary>The words of the surfaces: camel case.</summary>
    public static string Word<T>(T value) where T : struct, Enum => System.Text.Json.JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    /// <summary>The options of JoinFleet; one that is not known is refused, since it may have been meant.</summary>
    private static JoinRequest Request(object options)
    {
        var request = new JoinRequest();
        foreach (var (name, given) in BusRequest.Options(options))
        {
            var text = BusRequest.Text(name, given);
            request = name switch
            {
                "server" => request with { Server = text },
                "tenant" => request with { Tenant = text },
                "trust" => request with { Trust = text },
                "enrolmentToken" => request with { EnrolmentToken = text },
                "token" => request with { Token = text },
                "gatewayToken" => request with { GatewayToken = text },
                "certificate" => request with { Certificate = text },
                _ => throw new UserError($"There is no option {name}.", "The options are server, tenant, trust, enrolmentToken, token, gatewayToken and certificate."),
            };
        }
        return request;
    }
}
