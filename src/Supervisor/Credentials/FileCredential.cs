using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Credentials;

namespace Appliance.Supervisor.Credentials;

/// <summary>A file with a secret, and the unit that uses it (<see cref="CredentialFile"/>).</summary>
/// <param name="settings">What the image says of it.</param>
/// <param name="root">Root of the files.</param>
/// <param name="units">The units.</param>
/// <param name="time">Clock.</param>
internal sealed class FileCredential(CredentialFile settings, string root, IUnits units, TimeProvider time) : ICredential
{
    private const string NewName = "file", OldName = "file", NoneName = "none";
    private const int LargestFile = 1 << 20;
    private static readonly TimeSpan UnitLimit = TimeSpan.FromMinutes(5);

    private readonly string _path = Path.Join(root, settings.Path);

    /// <inheritdoc/>
    public string Name => settings.Name;

    /// <inheritdoc/>
    public TimeSpan Grace => settings.Grace;

    /// <inheritdoc/>
    public bool CanRotate => settings.Make is not null;

    /// <inheritdoc/>
    public bool CanSet => true;

    /// <summary>What must hold, beside the program that checks; for those that are built in.</summary>
    public Func<CancellationToken, Task>? Confirmed { get; init; }

    /// <summary>What it is, in a few words.</summary>
    public string? Title { get; init; }

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        var file = new FileInfo(_path);
        // One that is not there yet can be brought, or made.
        return new CredentialFacts(Title ?? $"File {settings.Path}") { IssuedAt = file.Exists ? file.LastWriteTimeUtc : null };
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => settings is { Make: not null, Every: { } every } ? (record.RotatedAt ?? facts.IssuedAt ?? DateTimeOffset.UnixEpoch) + every : null;

    /// <inheritdoc/>
    public async Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var next = Path.Combine(work.New, NewName);
        if (File.Exists(work.Given)) DurableFile.Write(next, File.ReadAllBytes(work.Given));
        else if (settings.Make is { } make)
        {
            await CredentialCommand.RunAsync(make, [], Environment(work), cancellationToken);
            if (!File.Exists(next)) throw new UserError($"{make} has written no file.", "It writes the new secret to the file that APPLIANCE_NEW names.");
            DurableFile.Write(next, File.ReadAllBytes(next)); // on the disk, and readable by nobody else
        }
        else throw new UserError($"The device cannot make a new {Name}.", $"Bring one: appliancectl credentials set {Name} FILE");
        if (new FileInfo(next).Length is 0 or > LargestFile) throw new UserError($"The new {Name} is empty or larger than {ByteSize.Format(LargestFile)}.");
    }

    /// <inheritdoc/>
    public Task ProveAsync(RotationWork work, CancellationToken cancellationToken) => settings.Prove is { } prove ? CredentialCommand.RunAsync(prove, [], Environment(work), cancellationToken) : Task.CompletedTask;

    /// <inheritdoc/>
    public async Task SwitchAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var (old, none, next) = (Path.Combine(work.Old, OldName), Path.Combine(work.Old, NoneName), File.ReadAllBytes(Path.Combine(work.New, NewName)));
        if (!File.Exists(old) && !File.Exists(none))
        {
            work.Say("before the old file is kept");
            if (File.Exists(_path)) DurableFile.Write(old, File.ReadAllBytes(_path));
            else DurableFile.Write(none, []);
        }
        work.Say("before the new file is in its place");
        Directory.CreateDirectory(Path.GetDirectoryName(_path)!);
        DurableFile.Write(_path, next, Mode);
        work.Say("after the new file is in its place");
        await ReloadAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!CryptographicOperations.FixedTimeEquals(File.ReadAllBytes(_path), File.ReadAllBytes(Path.Combine(work.New, NewName)))) throw new UserError($"{settings.Path} was written by somebody else meanwhile.");
        if (settings.Reload is { } unit && !await units.IsActiveAsync(unit, cancellationToken)) throw new UserError($"{unit} does not run.", $"appliancectl logs --unit {unit}");
        if (settings.Check is { } check) await CredentialCommand.RetryAsync(() => CredentialCommand.RunAsync(check, [], Environment(work), cancellationToken), settings.Within, time, cancellationToken);
        if (Confirmed is not null) await CredentialCommand.RetryAsync(() => Confirmed(cancellationToken), settings.Within, time, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var (old, none) = (Path.Combine(work.Old, OldName), Path.Combine(work.Old, NoneName));
        if (!File.Exists(old) && !File.Exists(none)) return; // it was not touched
        work.Say("before the old file is back");
        if (File.Exists(old)) DurableFile.Write(_path, File.ReadAllBytes(old), Mode);
        else DurableFile.Delete(_path);
        await ReloadAsync(cancellationToken);
    }

    private UnixFileMode Mode => (UnixFileMode)Convert.ToInt32(settings.Mode, 8);

    private Task ReloadAsync(CancellationToken cancellationToken) => settings.Reload is { } unit ? units.ReloadAsync(unit, UnitLimit, cancellationToken) : Task.CompletedTask;

    private Dictionary<string, string> Environment(RotationWork work) => new() { ["APPLIANCE_NEW"] = Path.Combine(work.New, NewName), ["APPLIANCE_PATH"] = _path, ["APPLIANCE_CREDENTIAL"] = Name };
}
