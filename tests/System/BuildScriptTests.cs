using System.Diagnostics;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Management.Automation.Runspaces;

namespace Appliance.SystemTests;

public sealed class BuildScriptTests : IDisposable
{
    private readonly string _programs = Directory.CreateTempSubdirectory("programs").FullName;

    public BuildScriptTests() => File.SetUnixFileMode(_programs, (UnixFileMode)0b111_101_101);

    public void Dispose() => Directory.Delete(_programs, recursive: true);

    [Fact]
    public void TheScriptForWindows_Parses()
    {
        Parser.ParseFile(Path.Combine(Product.Root, "build.ps1"), out _, out var errors);

        Assert.Empty(errors);
    }

    [Theory]
    [InlineData("", "", "the .NET 10 SDK", "a container engine (Docker Desktop")]
    [InlineData("echo '8.0.400 [x]'", "exit 1", "the .NET 10 SDK", "a running container engine: docker is installed but does not answer")]
    public void TheScriptForWindows_SaysWhatIsMissing(string dotnet, string docker, params string[] missing)
    {
        if (dotnet.Length > 0) Install("dotnet", dotnet);
        if (docker.Length > 0) Install("docker", docker);

        var (exitCode, said) = RunTheScriptForWindows();

        Assert.Equal(2, exitCode);
        Assert.Equal("These are missing:", said[0]);
        Assert.Equal(missing.Length, said.Count - 1);
        Assert.All(missing, (thing, index) => Assert.StartsWith($"  - {thing}", said[index + 1], StringComparison.Ordinal));
    }

    [Fact]
    public void TheScriptForWindows_WithEverythingThere_SaysWhatWorksToday()
    {
        Install("dotnet", "echo '10.0.100 [x]'");
        Install("podman", "exit 0");

        var (exitCode, said) = RunTheScriptForWindows();

        Assert.Equal(2, exitCode);
        Assert.StartsWith("Everything needed is here (podman answers)", said[0], StringComparison.Ordinal);
        Assert.Contains(said, line => line.Contains("wsl --install Debian", StringComparison.Ordinal));
    }

    /// <summary>
    /// Runs build.ps1 in the PowerShell engine. The cmdlets of PowerShell's own modules, which a test cannot have, are stood in
    /// for; Test-Path says that there is no $IsLinux, as on Windows.
    /// </summary>
    private (int ExitCode, List<string> Said) RunTheScriptForWindows()
    {
        const string standIns = """
            function Set-Location { param($LiteralPath) }
            function Test-Path { param($Path) $false }
            function Write-Host { param($Text) $said.Add($Text) }
            function Select-Object { param([Parameter(ValueFromPipeline)] $Item, $First) begin { $left = $First } process { if ($left-- -gt 0) { $Item } } }
            """;
        var said = new List<string>();
        var path = Environment.GetEnvironmentVariable("PATH");
        using var shell = PowerShell.Create(InitialSessionState.CreateDefault2());
        shell.Runspace.SessionStateProxy.SetVariable("said", said);
        try
        {
            Environment.SetEnvironmentVariable("PATH", _programs);
            shell.AddScript(standIns).AddStatement().AddScript($"& '{Path.Combine(Product.Root, "build.ps1")}'; $LASTEXITCODE");
            return ((int)shell.Invoke().Last().BaseObject, said);
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
    }

    [Fact]
    public async Task WithoutRoot_TheScriptPrintsTheOneCommandThatInstallsWhatIsMissing()
    {
        Install("dotnet", "echo '10.0.100 [/usr/share/dotnet/sdk]'");
        Install("dpkg-query", "[ \"$4\" = clang ] && echo 'install ok installed'");

        var (exitCode, errors) = await BuildAsNobodyAsync();

        Assert.Equal(2, exitCode);
        Assert.Contains("These host packages are missing: mmdebstrap uidmap zlib1g-dev libdivsufsort3\n", errors, StringComparison.Ordinal);
        Assert.Contains("  sudo sh -c 'apt-get update && apt-get install --yes --no-install-recommends mmdebstrap uidmap zlib1g-dev libdivsufsort3'\n", errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("echo '8.0.400 [/usr/share/dotnet/sdk]'")]
    [InlineData("exit 127")]
    public async Task WithoutTheSdk_TheScriptSaysSo(string dotnet)
    {
        Install("dotnet", dotnet);

        var (exitCode, errors) = await BuildAsNobodyAsync();

        Assert.Equal(2, exitCode);
        Assert.Contains("The .NET 10 SDK is missing", errors, StringComparison.Ordinal);
    }

    /// <summary>A program that the script finds before the machine's own.</summary>
    private void Install(string name, string script)
    {
        var path = Path.Combine(_programs, name);
        File.WriteAllText(path, $"#!/bin/sh\n{script}\n");
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }

    private async Task<(int ExitCode, string Errors)> BuildAsNobodyAsync()
    {
        var start = new ProcessStartInfo("setpriv",
            ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env", $"PATH={_programs}:{Environment.GetEnvironmentVariable("PATH")}", Path.Combine(Product.Root, "build.sh")])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal("", await output);
        return (process.ExitCode, errors);
    }
}
