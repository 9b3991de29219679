using System.Text.Json;
using Appliance.Core;
using Appliance.Supervisor.Secrets;

namespace Appliance.Supervisor.Fleet;

/// <summary>Keeps the membership on the disk, for the supervisor and root alone, with its secrets sealed.</summary>
internal sealed class FleetMembershipFile(string path, ISecretSeal seal)
{
    /// <summary>Format of the file that this program writes.</summary>
    public const int CurrentFormat = 2;

    /// <summary>The format before it: everything in clear.</summary>
    private const int PlainFormat = 1;

    private const int LargestFile = 1 << 20;

    /// <summary>Its name in the supervisor's folder.</summary>
    public const string FileName = "fleet.json";

    /// <summary>Where it is on a device.</summary>
    public const string DefaultPath = "/var/lib/appliance/supervisor/" + FileName;

    /// <summary>For tests: called before and after every write.</summary>
    public Action<string>? OnStep { get; init; }

    /// <summary>Whether there is one, readable or not.</summary>
    public bool Exists => File.Exists(path);

    /// <summary>
    /// The membership, or null for a device that has joined no fleet. A file that cannot be used is left where it is: another version of
    /// this program may know it, or the worker be there the next time.
    /// </summary>
    /// <exception cref="MembershipUnreadableException">There is one, and it cannot be read.</exception>
    public async Task<FleetMembership?> ReadAsync(CancellationToken cancellationToken)
    {
        string? server = null;
        try
        {
            if (RecordFile.TryRead(path, FleetStateJson.Default.FleetMembershipRecord, LargestFile) is not { } record) return null;
            server = record.Server;
            return record.Format switch
            {
                PlainFormat => RecordFile.TryRead(path, FleetStateJson.Default.FleetMembership, LargestFile),
                CurrentFormat => record.With(await UnsealAsync(record.Sealed ?? throw new InvalidDataException("nothing is sealed in it"), cancellationToken)),
                _ => throw Unknown(record),
            };
        }
        catch (SecretLostException e)
        {
            throw new MembershipUnreadableException($"by what the server knows the device cannot be unsealed ({e.Message}): it is another machine's, or this one has lost its key; the device must join again", server, e);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException or UserError)
        {
            throw new MembershipUnreadableException($"by what the server knows the device cannot be read: {e.Message}", server, e);
        }
    }

    /// <summary>What of the membership is no secret: the server, and whom it is trusted by. Null for a device that has joined no fleet.</summary>
    /// <exception cref="MembershipUnreadableException">There is one, and it cannot be read.</exception>
    public FleetMembership? ReadClear()
    {
        try
        {
            return RecordFile.TryRead(path, FleetStateJson.Default.FleetMembershipRecord, LargestFile) is not { } record ? null
                : record.Format is PlainFormat or CurrentFormat ? record.With(FleetSecrets.None)
                : throw Unknown(record);
        }
        catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
        {
            throw new MembershipUnreadableException($"of which fleet the device is a member cannot be read: {e.Message}", null, e);
        }
    }

    /// <summary>Seals what a version that did not seal has left in clear.</summary>
    /// <param name="membership">The membership as it was read.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="UserError">It cannot be sealed; what the disk has is untouched.</exception>
    public async Task SealPlainAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        if (RecordFile.TryRead(path, FleetStateJson.Default.FleetMembershipRecord, LargestFile)?.Format == PlainFormat) await WriteAsync(membership, cancellationToken);
    }

    /// <summary>Seals a membership, so that it can be written.</summary>
    /// <exception cref="UserError">It cannot be sealed; what the disk has is untouched.</exception>
    public async Task<FleetMembershipRecord> SealAsync(FleetMembership membership, CancellationToken cancellationToken)
    {
        try
        {
            var secrets = JsonSerializer.SerializeToUtf8Bytes(FleetSecrets.Of(membership), FleetStateJson.Default.FleetSecrets);
            return FleetMembershipRecord.Of(membership, await seal.SealAsync(SecretName.Fleet, secrets, cancellationToken));
        }
        catch (UserError e)
        {
            throw new UserError($"By what the server knows the device cannot be sealed, and is not kept in clear: {e.Message}", e.Hint, e) { MayPass = e.MayPass };
        }
    }

    /// <summary>Writes it; it is on the disk when this returns.</summary>
    public void Write(FleetMembershipRecord record)
    {
        OnStep?.Invoke("before the membership is written");
        DurableFile.Write(path, JsonSerializer.SerializeToUtf8Bytes(record, FleetStateJson.Default.FleetMembershipRecord));
        OnStep?.Invoke("after the membership is written");
    }

    /// <summary>Seals it, and writes it.</summary>
    /// <exception cref="UserError">It cannot be sealed; what the disk has is untouched.</exception>
    public async Task WriteAsync(FleetMembership membership, CancellationToken cancellationToken) => Write(await SealAsync(membership, cancellationToken));

    /// <summary>Forgets it.</summary>
    public void Delete() => DurableFile.Delete(path);

    private static InvalidDataException Unknown(FleetMembershipRecord record) => new($"its format is {record.Format}, and this program knows {CurrentFormat}");

    private async Task<FleetSecrets> UnsealAsync(string sealedSecrets, CancellationToken cancellationToken)
    {
        try
        {
            return JsonSerializer.Deserialize(await seal.UnsealAsync(SecretName.Fleet, sealedSecrets, cancellationToken), FleetStateJson.Default.FleetSecrets) ?? throw new InvalidDataException("what was sealed in it is empty");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException("what was sealed in it is damaged", e); // without its words, which may be a secret's
        }
    }
}
