#!/usr/bin/env pwsh
<#
.SYNOPSIS
Builds the default image in a container, on Windows, macOS or Linux.

.DESCRIPTION
An image is made with Linux tools (mmdebstrap, mount namespaces, overlayfs), so the build runs in a Linux container on Docker
or podman. It needs the .NET 10 SDK, and a builder image that a Debian machine has made once; see docs/building.md. Options go
to `appliance build`. On Debian, ./build.sh builds without a container, and runs the tests.

.EXAMPLE
./build.ps1 --builder builder.tar.gz

.EXAMPLE
./build.ps1 cli

Only publishes the command line to out/bin.
#>
param()

# No parameters of its own: everything after a verb belongs to `appliance build`.
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
Set-Location -LiteralPath $PSScriptRoot

$verb = if ($args.Count -gt 0) { $args[0] } else { '' }
if ($verb -in 'help', '-h', '--help') {
    (Get-Content -Raw -LiteralPath $PSCommandPath) -replace '(?s)^.*?<#\s*(.*?)#>.*$', '$1' | Write-Output
    exit 0
}
if ($verb -eq 'test') {
    Write-Host 'The tests boot machines and need Debian 12 or 13: ./build.sh test (on Windows, WSL will do).'
    exit 2
}

$dotnet = Get-Command -Name dotnet -ErrorAction SilentlyContinue
if (-not $dotnet -or -not (& dotnet --list-sdks | Where-Object { $_ -match '^10\.' })) {
    Write-Host 'The .NET 10 SDK is missing (winget install Microsoft.DotNet.SDK.10, or brew install dotnet-sdk).'
    exit 2
}

Write-Host 'Publishing the command line to out/bin/appliance'
& dotnet publish src/ImageBuilder --configuration Release --output out/bin --verbosity quiet --nologo --disable-build-servers
if ($LASTEXITCODE -ne 0 -or $verb -eq 'cli') {
    exit $LASTEXITCODE
}
& dotnet out/bin/appliance.dll build image/appliance.yaml --container @args
exit $LASTEXITCODE
