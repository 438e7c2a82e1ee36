#Requires -Version 5.1
#Requires -RunAsAdministrator
<#
.SYNOPSIS
Removes the service, its task, its event source and its program. Configuration and history stay unless -Purge is given.

.DESCRIPTION
Never run on Windows by the project. Read it before you run it.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string] $Program = (Join-Path $env:ProgramFiles 'wayclear'),
    [string] $Data = (Join-Path $env:ProgramData 'wayclear'),
    [switch] $Purge
)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$name = 'wayclear'

if ($PSCmdlet.ShouldProcess($Program, 'remove wayclear')) {
    Get-ScheduledTask -TaskPath '\wayclear\' -ErrorAction SilentlyContinue | Unregister-ScheduledTask -Confirm:$false
    if (Get-Service -Name $name -ErrorAction SilentlyContinue) {
        Stop-Service -Name $name
        & sc.exe delete $name
        if ($LASTEXITCODE -ne 0) { throw "sc.exe ended with $LASTEXITCODE" }
    }
    Remove-Item -LiteralPath "HKLM:\SYSTEM\CurrentControlSet\Services\EventLog\Application\$name" -ErrorAction SilentlyContinue
    if (Test-Path -LiteralPath $Program) { Remove-Item -LiteralPath $Program -Recurse -Force }
    if ($Purge -and (Test-Path -LiteralPath $Data)) { Remove-Item -LiteralPath $Data -Recurse -Force }
}
