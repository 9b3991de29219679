using Appliance.Core;
using Appliance.Supervisor.Credentials;
using Core.Tests.Tuf;

namespace Supervisor.Tests.Credentials;

/// <summary>A place for a credential, and the engine that changes it: the power goes at a step of the test's choice.</summary>
internal abstract class CredentialScene : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("credential");
    private int _steps;
    private LossyDisk? _disk;
    private Loss _loss;

    public string Root => _folder.FullName;
    public ModelUnits Units { get; } = new();
    public SettableTime Time { get; } = new(new DateTimeOffset(2026, 11, 30, 12, 0, 0, TimeSpan.Zero));

    /// <summary>At which step the power goes, from 1; 0 for never.</summary>
    public int CutAt { get; set; }

    /// <summary>What the power takes with it when it goes; set once the scene stands.</summary>
    /// <param name="loss">What.</param>
    /// <param name="foreign">A folder whose owner syncs what it writes.</param>
    public void Lose(Loss loss, string? foreign = null)
    {
        _loss = loss;
        _disk = new LossyDisk(Root) { Foreign = foreign };
        var start = Units.OnStart;
        Units.OnStart = async unit =>
        {
            await start(unit);
            _disk.SettleForeign();
        };
    }

    /// <summary>How many steps there were since the last start.</summary>
    public int Steps => _steps;

    /// <summary>The credential, as a process that has just started has it.</summary>
    public abstract ICredential Credential { get; }

    /// <summary>The version that is used now: 0 for the first one, then 1 for each that came after. It fails for anything that is none.</summary>
    public abstract Task<int> UsedAsync();

    /// <summary>Whether something whole is used as soon as the machine has started, before the rotation is gone on with.</summary>
    public virtual bool WorksAtOnce => true;

    public RotationEngine Engine => new(this["var/rotations"], Time) { OnStep = Step };

    public string this[string path] => Path.Combine(Root, path);

    public string Write(string path, string content, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(this[path])!);
        File.WriteAllText(this[path], content);
        File.SetUnixFileMode(this[path], mode);
        return this[path];
    }

    public string Script(string path, string content) => Write(path, $"#!/bin/sh\nset -eu\n{content}\n", UnixFileMode.UserRead | UnixFileMode.UserExecute);

    public virtual Task<RotationRecord> RotateAsync(bool isEmergency = false, byte[]? given = null) => Engine.RotateAsync(Credential, "a test", isEmergency, given, TestContext.Current.CancellationToken);

    public Task<RotationRecord> ResumeAsync() => Engine.ResumeAsync(Credential, TestContext.Current.CancellationToken);

    /// <summary>The machine starts anew.</summary>
    public virtual Task BootAsync()
    {
        (_steps, CutAt) = (0, 0);
        return Units.BootAsync();
    }

    public void Step(string what)
    {
        if (++_steps != CutAt) return;
        _disk?.Cut(_loss);
        throw new Boot.PowerCutException();
    }

    public virtual void Dispose()
    {
        GC.SuppressFinalize(this);
        _disk?.Dispose();
        _folder.Delete(recursive: true);
    }
}
