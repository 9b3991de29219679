#!/usr/bin/env pwsh
<#
.SYNOPSIS
Builds the default image on Windows or macOS, through a container engine.

.DESCRIPTION
An image is made with Linux tools (mmdebstrap, mount namespaces, overlayfs), so on Windows and macOS the build runs in a
Linux container. This script checks what is needed and says what is missing. The container build itself lands with the
boards-and-containers work; until then it ends with the way that works today.

.EXAMPLE
./build.ps1

.EXAMPLE
./build.ps1 test
#>
[CmdletBinding()]
param(
    [Parameter(Position = 0)]
    [ValidateSet('build', 'test', 'cli', 'help')]
    [string] $Verb = 'build',

    [Parameter(ValueFromRemainingArguments)]
    [string[]] $Options = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Location -LiteralPath $PSScriptRoot

if ($Verb -eq 'help') {
    Get-Help -Name $PSCommandPath -Detailed
    exit 0
}

# Windows PowerShell 5.1 does not have $IsLinux.
if ((Test-Path -Path variable:IsLinux) -and $IsLinux) {
    Write-Host 'On Linux, ./build.sh does the work; starting it.'
    $forwarded = if ($Verb -eq 'build') { $Options } else { @($Verb) + $Options }
    & ./build.sh @forwarded
    exit $LASTEXITCODE
}

$missing = [System.Collections.Generic.List[string]]::new()

$dotnet = Get-Command -Name dotnet -ErrorAction SilentlyContinue
if (-not $dotnet -or -not (& dotnet --list-sdks | Where-Object { $_ -match '^10\.' })) {
    $missing.Add('the .NET 10 SDK (winget install Microsoft.DotNet.SDK.10, or brew install dotnet-sdk)')
}

$engine = @('docker', 'podman') | Where-Object { Get-Command -Name $_ -ErrorAction SilentlyContinue } | Select-Object -First 1
if (-not $engine) {
    $missing.Add('a container engine (Docker Desktop, or Podman Desktop)')
}
else {
    & $engine info *> $null
    if ($LASTEXITCODE -ne 0) {
        $missing.Add("a running container engine: $engine is installed but does not answer (start it)")
    }
}

if ($missing.Count -gt 0) {
    Write-Host 'These are missing:'
    $missing | ForEach-Object { Write-Host "  - $_" }
    exit 2
}

Write-Host "Everything needed is here ($engine answers), but building in a container is not there yet."
Write-Host 'Today, build in a Debian 12 or 13 machine. On Windows, WSL is one:'
Write-Host '  wsl --install Debian'
Write-Host '  wsl -d Debian -- ./build.sh'
exit 2
