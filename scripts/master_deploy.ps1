<#
.SYNOPSIS
    Checks the workers, deploys the project to them and starts the training: the options of before, for `dtui up`.

.DESCRIPTION
    Run it in the project's folder on the master. Without -WorkerIPs and -WorkersFile it takes configs\nodes.yaml,
    and asks for the workers' addresses when there is none. dtui is installed for this user when it is missing.

.PARAMETER WorkerIPs
    Addresses of the workers.

.PARAMETER WorkersFile
    A workers.json with IPAddress, ComputerName and GPUCount of each worker.

.PARAMETER SkipDeploy
    Use files and environments as the last deploy left them.

.PARAMETER ConfigFile
    The configuration of the training, seen from the project's folder.

.PARAMETER ProjectPath
    The project's folder on the workers.

.PARAMETER Port
    Port of the rendezvous on the master.

.EXAMPLE
    .\scripts\master_deploy.ps1 -WorkerIPs @("192.168.1.101", "192.168.1.102")
#>
[CmdletBinding()]
param(
    [string[]]$WorkerIPs = @(),
    [string]$WorkersFile = '',
    [switch]$SkipDeploy,
    [string]$ConfigFile = '',
    [string]$ProjectPath = '',
    [ValidateRange(0, 65535)]
    [int]$Port = 0
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

. (Join-Path $PSScriptRoot 'setup\guard.ps1')
. (Join-Path $PSScriptRoot 'setup\native.ps1')

function Find-NewPython {
    # Returns Python 3.11 or newer, which dtui itself needs.
    $script = 'import sys; print(sys.executable if sys.version_info >= (3, 11) else 0)'
    foreach ($candidate in @('py', 'python', 'python3')) {
        if ($null -eq (Get-Command -Name $candidate -CommandType Application -ErrorAction SilentlyContinue)) {
            continue
        }
        $arguments = @('-c', $script)
        if ($candidate -eq 'py') {
            $arguments = @('-3') + $arguments
        }
        try {
            $answer = @(Invoke-Native -Program $candidate -Arguments $arguments)
        } catch {
            continue
        }
        if ($answer.Count -eq 1 -and $answer[0] -ne '0') {
            return [string]$answer[0]
        }
    }
    throw 'dtui needs Python 3.11 or newer on the master. Install it from python.org and run this again.'
}

function Install-Dtui {
    # An environment of dtui's own, from the checkout that this script lies in. Returns the command.
    $folder = Join-Path $env:LOCALAPPDATA 'dtui\app'
    $command = Join-Path $folder 'Scripts\dtui.exe'
    if (Test-Path -LiteralPath $command) {
        return $command
    }
    $python = Find-NewPython
    Write-Host "installing dtui in $folder"
    Invoke-Native -Program $python -Arguments @('-m', 'venv', $folder) | Out-Null
    $own = Join-Path $folder 'Scripts\python.exe'
    $checkout = Split-Path -Path $PSScriptRoot -Parent
    Invoke-Native -Program $own -Arguments @('-m', 'pip', 'install', '--quiet', $checkout) | Out-Null
    return $command
}

function Get-Dtui {
    $known = Get-Command -Name 'dtui' -CommandType Application -ErrorAction SilentlyContinue
    if ($null -ne $known) {
        return [string]@($known)[0].Source
    }
    return (Install-Dtui)
}

function Read-Workers {
    # Asks only where nothing else tells which workers there are.
    if ($WorkersFile -or (Test-Path -LiteralPath 'configs\nodes.yaml')) {
        return @()
    }
    return @(Get-AddressList -Given @(Read-Host -Prompt 'Addresses of the workers, separated by commas'))
}

function Get-UpArguments {
    # Returns the words of `dtui up` for this script's options.
    param([string[]]$Workers = @())
    $words = @('up')
    if ($Workers.Count -gt 0) {
        $words += @('--workers', ($Workers -join ','))
    }
    if ($WorkersFile) {
        $words += @('--workers-file', $WorkersFile)
    }
    if ($SkipDeploy) {
        $words += '--skip-deploy'
    }
    if ($ConfigFile) {
        $words += @('--config', $ConfigFile.Replace('\', '/'))
    }
    if ($ProjectPath) {
        $words += @('--project-path', $ProjectPath)
    }
    if ($Port -gt 0) {
        $words += @('--port', [string]$Port)
    }
    return $words
}

function Invoke-MasterDeploy {
    $workers = @(Get-AddressList -Given $WorkerIPs)
    if ($workers.Count -gt 0 -and $WorkersFile) {
        throw 'Give -WorkerIPs or -WorkersFile, not both.'
    }
    if ($workers.Count -eq 0) {
        $workers = @(Read-Workers)
    }
    $words = @(Get-UpArguments -Workers $workers)
    $dtui = Get-Dtui
    Write-Host "dtui $($words -join ' ')"
    & $dtui @words
    exit $LASTEXITCODE
}

# Dot-sourced, the functions can be looked at and tried one by one.
if ($MyInvocation.InvocationName -ne '.') {
    Invoke-MasterDeploy
}
