using System.Security.Cryptography;
using Appliance.Core;
using Appliance.Core.Credentials;
using Appliance.Supervisor.Processes;
using Serilog;

namespace Appliance.Supervisor.Credentials;

/// <summary>
/// A file with a secret, and the unit that uses it (<see cref="CredentialFile"/>). Owner and group of the file that is there are kept. A
/// link to it is followed where it is root's: one of somebody else could lead root anywhere.
/// </summary>
/// <param name="settings">What the image says of it.</param>
/// <param name="root">Root of the files.</param>
/// <param name="units">The units.</param>
/// <param name="time">Clock.</param>
internal sealed class FileCredential(CredentialFile settings, string root, IUnits units, TimeProvider time) : ICredential
{
    private const string NewName = "file", OldName = "file", NoneName = "none";
    private const int LargestFile = 1 << 20, MostLinks = 40; // path_resolution(7)
    private static readonly TimeSpan UndoLimit = TimeSpan.FromSeconds(30), UnitLimit = TimeSpan.FromMinutes(5), ShortestTry = TimeSpan.FromMinutes(1), LongestTry = TimeSpan.FromMinutes(5);

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

    /// <inheritdoc/>
    public string? Group { get; init; }

    /// <summary>What it is, in a few words.</summary>
    public string? Title { get; init; }

    /// <inheritdoc/>
    public CredentialFacts? Read()
    {
        var file = new FileInfo(Resolve());
        // One that is not there yet can be brought, or made.
        return new CredentialFacts(Title ?? $"File {settings.Path}") { IssuedAt = file.Exists ? file.LastWriteTimeUtc : null };
    }

    /// <inheritdoc/>
    public DateTimeOffset? DueAt(CredentialFacts facts, RotationRecord record) => settings is { Make: not null, Every: { } every } ? (record.RotatedAt ?? facts.IssuedAt ?? DateTimeOffset.UnixEpoch) + every : null;

    /// <inheritdoc/>
    public async Task PrepareAsync(RotationWork work, CancellationToken cancellationToken)
    {
        RequireReplaceable();
        var next = Path.Combine(work.New, NewName);
        if (File.Exists(work.Given)) DurableFile.Write(next, File.ReadAllBytes(work.Given));
        else if (settings.Make is { } make)
        {
            await MakeAsync(make, work, cancellationToken);
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
        var (path, old, none, next) = (Resolve(), Path.Combine(work.Old, OldName), Path.Combine(work.Old, NoneName), File.ReadAllBytes(Path.Combine(work.New, NewName)));
        if (!File.Exists(old) && !File.Exists(none))
        {
            work.Say("before the old file is kept");
            // With its owner and mode, for when it comes back; its folder is nobody else's.
            if (File.Exists(path)) DurableFile.Write(old, File.ReadAllBytes(path), FileStatus.Of(path));
            else DurableFile.Write(none, []);
        }
        work.Say("before the new file is in its place");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        DurableFile.RemoveLeftovers(path);
        var status = File.Exists(old) ? FileStatus.Of(old) : new FileStatus(0, 0, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        DurableFile.Write(path, next, settings.Mode is { } mode ? status with { Mode = (UnixFileMode)Convert.ToInt32(mode, 8) } : status);
        work.Say("after the new file is in its place");
        await ReloadAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public async Task ConfirmAsync(RotationWork work, CancellationToken cancellationToken)
    {
        if (!CryptographicOperations.FixedTimeEquals(File.ReadAllBytes(Resolve()), File.ReadAllBytes(Path.Combine(work.New, NewName)))) throw new UserError($"{settings.Path} was written by somebody else meanwhile.");
        if (settings.Reload is { } unit && !await units.IsActiveAsync(unit, cancellationToken)) throw new UserError($"{unit} does not run.", $"appliancectl logs --unit {unit}");
        if (settings.Check is { } check)
        {
            // One that hangs is a failure, too.
            var command = new ProcessCommand(check) { Environment = Environment(work), Limit = settings.Within < ShortestTry ? ShortestTry : settings.Within < LongestTry ? settings.Within : LongestTry };
            await CredentialCommand.RetryAsync(() => CredentialCommand.RunAsync(command, isSecret: true, cancellationToken), settings.Within, time, cancellationToken);
        }
        if (Confirmed is not null) await CredentialCommand.RetryAsync(() => Confirmed(cancellationToken), settings.Within, time, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task UndoAsync(RotationWork work, CancellationToken cancellationToken)
    {
        var (old, none) = (Path.Combine(work.Old, OldName), Path.Combine(work.Old, NoneName));
        if (!File.Exists(old) && !File.Exists(none)) return; // it was not touched
        work.Say("before the old file is back");
        var path = Resolve();
        if (!File.Exists(old)) DurableFile.Delete(path);
        else if (File.ReadAllBytes(old) is var content && FileStatus.Of(old) is var status && !(DurableFile.Holds(path, content) && FileStatus.Of(path) == status)) DurableFile.Write(path, content, status);
        try
        {
            await CredentialCommand.RetryAsync(() => ReloadAsync(cancellationToken), UndoLimit, time, cancellationToken);
        }
        catch (UserError e)
        {
            // The file is what it was. What uses it may not have run with it either, and nobody could ever bring another one.
            Log.Warning("{Path} is as it was before, and {Unit} does not run with it: {Reason}", path, settings.Reload, e.Message);
        }
    }

    /// <summary>Where the file is, or is to be.</summary>
    /// <exception cref="UserError">A link that is not root's leads to it, or links lead nowhere.</exception>
    private string Resolve()
    {
        var path = _path;
        RequireRootsFolders(path);
        for (var links = 0; new FileInfo(path).LinkTarget is { } target; links++)
        {
            if (links == MostLinks) throw new UserError($"{settings.Path} is a link that leads nowhere.");
            if (FileStatus.Of(path, followsLink: false).User is not 0 and var user) throw new UserError($"{path} is a link of user {user}: root does not follow it.", $"Name the file itself in the settings of {Name}.");
            path = Path.GetFullPath(target, Path.GetDirectoryName(path)!);
            RequireRootsFolders(path);
        }
        return path;
    }

    /// <summary>A folder on the way that is somebody else's link could lead root anywhere.</summary>
    private void RequireRootsFolders(string path)
    {
        for (var folder = Path.GetDirectoryName(path); !string.IsNullOrEmpty(folder) && folder.Length >= root.TrimEnd('/').Length; folder = Path.GetDirectoryName(folder))
            if (new DirectoryInfo(folder).LinkTarget is not null && FileStatus.Of(folder, followsLink: false).User is not 0 and var user)
                throw new UserError($"{folder} is a link of user {user}: root does not follow it.", $"Name the file where it is in the settings of {Name}.");
    }

    /// <summary>Finds out before anything is made whether the file can be replaced, by a rename, and brought back.</summary>
    private void RequireReplaceable()
    {
        var path = Resolve();
        if (Directory.Exists(path)) throw new UserError($"{path} is a folder, and {Name} is to be a file.");
        if (!File.Exists(path)) return;
        if (FileStatus.Of(path).IsMountPoint) throw new UserError($"{path} is mounted by itself, and a mounted file cannot be replaced.", $"Have the image persist its folder {Path.GetDirectoryName(settings.Path)} instead.");
        if (new FileInfo(path).Length > LargestFile) throw new UserError($"{path} is larger than {ByteSize.Format(LargestFile)}.");
    }

    /// <summary>What it prints is not told, so that it had no room is.</summary>
    private async Task MakeAsync(string make, RotationWork work, CancellationToken cancellationToken)
    {
        try
        {
            await CredentialCommand.RunAsync(make, [], Environment(work), cancellationToken);
        }
        catch (UserError e) when (new DriveInfo(work.New).AvailableFreeSpace is < LargestFile and var left)
        {
            throw new UserError($"{e.Message.TrimEnd('.')}; the disk has {ByteSize.Format(left)} left.", "Free space on the data partition.", e);
        }
    }

    private Task ReloadAsync(CancellationToken cancellationToken) => settings.Reload is { } unit ? units.ReloadAsync(unit, settings.Within > UnitLimit ? settings.Within : UnitLimit, cancellationToken) : Task.CompletedTask;

    private Dictionary<string, string> Environment(RotationWork work) => new() { ["APPLIANCE_NEW"] = Path.Combine(work.New, NewName), ["APPLIANCE_PATH"] = _path, ["APPLIANCE_CREDENTIAL"] = Name };
}
