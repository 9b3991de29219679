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
    [InlineData("")]
    [InlineData("echo '8.0.400 [x]'")]
    public void TheScriptForWindows_WithoutTheSdk_SaysSo(string dotnet)
    {
        if (dotnet.Length > 0) Install("dotnet", dotnet);

        var (exitCode, said) = RunTheScriptForWindows();

        Assert.Equal(2, exitCode);
        Assert.StartsWith("The .NET 10 SDK is missing", Assert.Single(said), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 0, "build image/appliance.yaml --container")]
    [InlineData("--builder 'b c.tar' --locked", 0, "build image/appliance.yaml --container --builder b c.tar --locked")]
    [InlineData("--locked", 7, "build image/appliance.yaml --container --locked")]
    public void TheScriptForWindows_PublishesTheProgram_AndHandsItItsOptions(string options, int result, string expected)
    {
        var calls = Path.Combine(_programs, "calls");
        Install("dotnet", $"[ \"$1\" = --list-sdks ] && echo '10.0.100 [x]' && exit; echo \"$*\" >>{calls}; [ \"$1\" = publish ] || exit {result}");

        var (exitCode, _) = RunTheScriptForWindows(options);

        Assert.Equal(result, exitCode);
        Assert.Equal(["publish src/ImageBuilder --configuration Release --output out/bin --verbosity quiet --nologo --disable-build-servers", $"out/bin/appliance.dll {expected}"], File.ReadAllLines(calls));
    }

    [Theory]
    [InlineData("cli", 0, 1)]
    [InlineData("test", 2, 0)]
    public void TheScriptForWindows_HasTheOtherVerbs(string verb, int result, int published)
    {
        var calls = Path.Combine(_programs, "calls");
        Install("dotnet", $"[ \"$1\" = --list-sdks ] && echo '10.0.100 [x]' && exit; echo \"$*\" >>{calls}");

        var (exitCode, _) = RunTheScriptForWindows(verb);

        Assert.Equal(result, exitCode);
        Assert.Equal(published, File.Exists(calls) ? File.ReadAllLines(calls).Length : 0);
    }

    [Fact]
    public async Task WithoutDpkg_TheScriptPointsToTheContainer_WhichNeedsNoPackages()
    {
        // What the script itself needs, and no dpkg-query: another Linux.
        foreach (var program in new[] { "bash", "env", "dirname", "grep", "mkdir" }) File.CreateSymbolicLink(Path.Combine(_programs, program), Which(program));
        Install("dotnet", "[ \"$1\" = --list-sdks ] && echo '10.0.100 [x]' && exit; exit 5");

        var plain = await BuildOnAnotherLinuxAsync();
        var container = await BuildOnAnotherLinuxAsync("--container");

        Assert.Equal(2, plain.ExitCode);
        Assert.Contains("./build.sh --container", plain.Errors, StringComparison.Ordinal);
        Assert.Equal((5, ""), container); // it got as far as publishing the program
    }

    private static string Which(string program) =>
        Environment.GetEnvironmentVariable("PATH")!.Split(':').Select(folder => Path.Combine(folder, program)).First(File.Exists);

    private async Task<(int ExitCode, string Errors)> BuildOnAnotherLinuxAsync(params string[] options)
    {
        var start = new ProcessStartInfo(Which("bash"), [Path.Combine(Product.Root, "build.sh"), .. options]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = _programs;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await output;
        return (process.ExitCode, errors);
    }

    /// <summary>
    /// Runs build.ps1 in the PowerShell engine. The cmdlets of PowerShell's own modules, which a test cannot have, are stood in
    /// for.
    /// </summary>
    private (int ExitCode, List<string> Said) RunTheScriptForWindows(string options = "")
    {
        const string standIns = """
            function Set-Location { param($LiteralPath) }
            function Write-Host { param($Text) $said.Add($Text) }
            """;
        var said = new List<string>();
        var path = Environment.GetEnvironmentVariable("PATH");
        using var shell = PowerShell.Create(InitialSessionState.CreateDefault2());
        shell.Runspace.SessionStateProxy.SetVariable("said", said);
        try
        {
            Environment.SetEnvironmentVariable("PATH", _programs);
            shell.AddScript(standIns).AddStatement().AddScript($"& '{Path.Combine(Product.Root, "build.ps1")}' {options}; $LASTEXITCODE");
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

    [Fact]
    public async Task WithoutRoot_ForAnArm64Board_TheScriptAlsoAsksForTheEmulatorAndTheCompiler()
    {
        Assert.SkipWhen(System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64, "this machine is arm64");
        Install("dotnet", "echo '10.0.100 [/usr/share/dotnet/sdk]'");
        Install("dpkg-query", "case \"$4\" in *arm64*|*aarch64*|qemu*|arch-test|lld) ;; *) echo 'install ok installed' ;; esac");

        var (exitCode, errors) = await BuildAsNobodyAsync("--board", "uefi-arm64");

        Assert.Equal(2, exitCode);
        Assert.Contains("These host packages are missing: qemu-user-static arch-test lld binutils-aarch64-linux-gnu gcc-aarch64-linux-gnu libc6-dev-arm64-cross\n", errors, StringComparison.Ordinal);
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

    private async Task<(int ExitCode, string Errors)> BuildAsNobodyAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("setpriv",
            ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "env", $"PATH={_programs}:{Environment.GetEnvironmentVariable("PATH")}", Path.Combine(Product.Root, "build.sh"), .. arguments])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal("", await output);
        return (process.ExitCode, errors);
    }
}
