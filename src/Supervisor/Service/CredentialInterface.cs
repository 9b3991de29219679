using Appliance.Core;
using Appliance.Supervisor.Bus;
using Appliance.Supervisor.Credentials;
using Appliance.Supervisor.Device;
using Microsoft.Win32.SafeHandles;
using static Appliance.Supervisor.Service.BusValues;

namespace Appliance.Supervisor.Service;

/// <summary>The members of <c>io.appliance.Supervisor1</c> that are about credentials.</summary>
internal sealed class CredentialInterface(CredentialDesk desk)
{
    /// <summary>The property that changes with them.</summary>
    public const string Changing = "Credentials";

    /// <summary>The methods.</summary>
    public IReadOnlyList<BusMethod> Methods =>
    [
        new("RotateCredential", "sa{sv}", "o", ["name", "options", "job"], arguments => Begin((string)arguments[0], arguments[1], null)),
        new("SetCredential", "sha{sv}", "o", ["name", "content", "options", "job"], arguments => Begin((string)arguments[0], arguments[2], (SafeFileHandle)arguments[1])),
    ];

    /// <summary>The property.</summary>
    public BusProperty Property => new(Changing, "aa{sv}", () => desk.Known.Select(Bag).ToList());

    /// <summary>A credential as a bag of members.</summary>
    public static Dictionary<object, object> Bag(CredentialStatus credential) => BusValues.Bag(
        ("Name", credential.Name), ("Title", credential.Title), ("Identity", credential.Identity), ("IssuedAt", At(credential.IssuedAt)), ("ExpiresAt", At(credential.ExpiresAt)), ("RotatedAt", At(credential.RotatedAt)), ("DueAt", At(credential.DueAt)),
        ("Step", DeviceView.Word(credential.Step)), ("PreviousUntil", At(credential.PreviousUntil)), ("Trouble", credential.Trouble), ("CanRotate", credential.CanRotate), ("CanSet", credential.CanSet), ("Renewal", credential.Renewal));

    private static ulong? At(DateTimeOffset? moment) => moment is { } at ? Moment(at) : null;

    private object[] Begin(string name, object options, SafeFileHandle? content) => BusErrors.Named(() =>
    {
        var (by, isEmergency) = (BusRequest.Operator, false);
        foreach (var (option, value) in BusRequest.Options(options))
        {
            if (option == "by") by = BusRequest.Text(option, value) ?? by;
            else if (option == "emergency") isEmergency = BusRequest.Flag(option, value);
            else throw new UserError($"There is no option {option}.", "The options are emergency and by.");
        }
        return [JobObjects.PathOf(content is null ? desk.Rotate(name, by, isEmergency) : BusRequest.WithStream(content, given => desk.Rotate(name, by, isEmergency, given)))];
    });
}
